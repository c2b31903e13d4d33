"""The tables of threads. Every row carries the tenant and the user whose it is."""

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    true,
)

from gatehouse.storage.database import CutText, UtcDateTime, metadata

threads = Table(
    "threads",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("runnable", String(255), nullable=False),
    Column("title", CutText(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index(None, "tenant_id", "user_id", "updated_at", "id"),
    Index(None, "updated_at"),
)

messages = Table(
    "messages",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("thread_id", String(36), ForeignKey("threads.id", ondelete="CASCADE"), nullable=False),
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("position", Integer, nullable=False),  # dense from 1 in each thread
    Column("run_id", String(36), nullable=False),
    Column("attempt", Integer, nullable=False),  # of the run, whose answer this is
    Column("role", String(8), nullable=False),
    Column("content", Text, nullable=False),
    Column("tool_calls", JSON, nullable=False),  # a list of gatehouse.threads.models.ToolCall
    Column("status", String(8)),
    Column("usage", JSON(none_as_null=True)),  # an gatehouse.runs.events.Usage
    Column("finish_reason", CutText(64)),
    Column("blocks", JSON(none_as_null=True)),  # the content, where it is more than text
    Column(
        "value", JSON(none_as_null=True)
    ),  # what a runnable returned that is no message; of a question: its input, where that is more than text
    Column("created_at", UtcDateTime, nullable=False),
    Column("parent_id", String(36)),  # the message before it; gatehouse.threads.branches
    Column("shown", Boolean, nullable=False, server_default=true()),  # whether its branch is
    Column("checkpoint_id", String(64)),  # where a thread is a graph's state: that behind this message
    # of a question: a list of gatehouse.threads.models.Attached
    Column("attachments", JSON(none_as_null=True)),
    UniqueConstraint("thread_id", "position"),
    UniqueConstraint("run_id", "role"),
    CheckConstraint("role IN ('human', 'ai')", name="role"),
    CheckConstraint("status IN ('complete', 'partial', 'failed')", name="status"),
)
