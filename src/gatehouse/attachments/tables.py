"""The table of attachments. Bytes are in their file's row: every replica has them, a DELETE ends them."""

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from gatehouse.storage.database import UtcDateTime, metadata

attachments = Table(
    "attachments",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    # null until a question with it is asked; with its thread it is erased
    Column("thread_id", String(36), ForeignKey("threads.id", ondelete="CASCADE")),
    Column("name", String(255), nullable=False),
    Column("media_type", String(100), nullable=False),  # by its content
    Column("size", Integer, nullable=False),  # bytes
    Column("content", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),  # null: it stays for as long as its thread
    Index(None, "tenant_id", "user_id"),
    Index(None, "thread_id"),
    Index(None, "expires_at"),
)
