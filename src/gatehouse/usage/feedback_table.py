"""The table of feedback: one row for each run that its user has an opinion of."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, PrimaryKeyConstraint, String, Table, Text

from gatehouse.storage.database import UtcDateTime, metadata
from gatehouse.threads.tables import threads

feedback = Table(
    "feedback",
    metadata,
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("run_id", String(36), nullable=False),
    # null for a run outside of threads; with its thread a run's feedback is erased
    Column("thread_id", String(36), ForeignKey(threads.c.id, ondelete="CASCADE")),
    Column("runnable", String(255), nullable=False),
    Column("score", String(4), nullable=False),
    Column("comment", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    PrimaryKeyConstraint("tenant_id", "user_id", "run_id"),
    Index(None, "thread_id"),
    CheckConstraint("score IN ('up', 'down')", name="score"),
)
