"""The tables of approvals, and of the runs that wait for them: what a continuation needs is in their rows."""

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gatehouse.storage.database import CutText, UtcDateTime, metadata

PENDING = text("status = 'pending'")

approvals = Table(
    "approvals",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),  # who asked for the run
    Column("user_name", String(255), nullable=False),
    Column("kind", String(8), nullable=False),
    Column("run_id", String(36), nullable=False),
    Column("thread_id", String(36), ForeignKey("threads.id", ondelete="CASCADE")),
    Column("runnable", String(255), nullable=False),
    Column("form", String(8), nullable=False),  # of the question, which says how LangGraph takes its answer
    Column("interrupt_id", String(64), nullable=False),  # LangGraph's
    Column("position", Integer, nullable=False),  # among the calls that one interrupt asks about
    Column("tool", CutText(255)),
    Column("tool_call_id", CutText(255)),
    Column("args", JSON(none_as_null=True)),
    Column("value", JSON(none_as_null=True)),
    Column("description", Text),
    Column("allowed", JSON, nullable=False),
    Column("schema", JSON(none_as_null=True)),
    Column("deciders", JSON, nullable=False),  # a gatehouse.approvals.deciders.Deciders
    Column("digest", String(64), nullable=False),
    Column("same_as", String(36)),
    Column("status", String(9), nullable=False),
    Column("decision", JSON(none_as_null=True)),
    Column("decided_by", JSON(none_as_null=True)),
    Column("decided_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    UniqueConstraint("run_id", "interrupt_id", "position"),
    CheckConstraint("kind IN ('tool', 'input', 'effect')", name="kind"),
    Index(None, "tenant_id", "user_id", "status", "id"),
    Index(None, "tenant_id", "status", "id"),
    Index(None, "thread_id"),
    Index(None, "kind", postgresql_where=PENDING, sqlite_where=PENDING),  # of all tenants' that are open
)

# `state`: `waiting` for decisions; `due`, to go on as `how` says; `gone` on. `version` is counted up by
# whoever changes what belongs to the run: the row is the lock that they wait for
waiting_runs = Table(
    "waiting_runs",
    metadata,
    Column("run_id", String(36), primary_key=True),
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("thread_id", String(36), ForeignKey("threads.id", ondelete="CASCADE")),
    Column("attempt", Integer, nullable=False),  # which ended with the wait
    Column("state", String(8), nullable=False),
    Column("how", String(9), nullable=False),
    Column("version", Integer, nullable=False),
    Column("record", JSON, nullable=False),  # the fields of gatehouse.runs.records.RunRecord
    Column("decider", JSON(none_as_null=True)),  # the Principal whose word it goes on with
    Column("changed_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    CheckConstraint("state IN ('waiting', 'due', 'gone')", name="state"),
    CheckConstraint("how IN ('', 'decided', 'cancelled', 'expired')", name="how"),
    Index(None, "state", "expires_at"),
    Index(None, "thread_id"),
    Index(None, "tenant_id", "user_id"),
)
