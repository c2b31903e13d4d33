"""The table of API keys. What is kept of a key is its id and a hash of its secret."""

from sqlalchemy import JSON, Column, Index, Integer, LargeBinary, String, Table

from gatehouse.storage.database import UtcDateTime, metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("scopes", JSON, nullable=False),  # a list of str
    Column("secret_hash", LargeBinary(32), nullable=False),
    Column("pepper_version", Integer, nullable=False),
    Column("plan", String(64)),
    Column("claims", JSON, nullable=False),  # an object: what reaches `configurable`
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime),
    Column("revoked_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Index(None, "tenant_id", "user_id"),
)
