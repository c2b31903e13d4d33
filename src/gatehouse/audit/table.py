"""The table of the audit log. Rows are added and never changed: triggers of migration 0006 see to it."""

from sqlalchemy import JSON, Column, Index, String, Table

from gatehouse.storage.database import UtcDateTime, metadata

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("time", UtcDateTime, nullable=False),
    Column("tenant_id", String(255)),  # null: nobody knows whose it was, as of a sign-in that failed
    Column("user_id", String(255)),  # null: as above, or the operator
    Column("action", String(32), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("subject", String(255), nullable=False),
    Column("request_id", String(36), nullable=False),
    Column("address", String(64), nullable=False),
    Column("details", JSON, nullable=False),  # an object of a few short values
    Index(None, "tenant_id", "time", "id"),
    Index(None, "time"),
)
