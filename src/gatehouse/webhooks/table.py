"""The table of webhooks that are to be sent: rows come with what they tell of, and go when they are."""

from sqlalchemy import JSON, Column, Index, Integer, String, Table

from gatehouse.storage.database import UtcDateTime, metadata

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("type", String(32), nullable=False),
    Column("data", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("due_at", UtcDateTime, nullable=False),  # when it is to be tried, again or by another process
    Column("tries", Integer, nullable=False),
    Index(None, "due_at"),
    Index(None, "tenant_id", "user_id"),
)
