"""The table of what runnables remember of users: LangGraph's items."""

from sqlalchemy import JSON, Column, String, Table, Text

from gatehouse.storage.database import UtcDateTime, metadata

store_items = Table(
    "store_items",
    metadata,
    Column("tenant_id", String(255), primary_key=True),
    Column("user_id", String(255), primary_key=True),
    Column("namespace", Text, primary_key=True),  # its parts as JSON
    Column("key", Text, primary_key=True),
    Column("value", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
