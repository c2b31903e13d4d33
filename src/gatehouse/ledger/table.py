"""The table of effects: a row for each call of a tool that acts, of which there is one in a run."""

from sqlalchemy import JSON, Boolean, Column, Index, Integer, LargeBinary, String, Table, Text, false, text

from gatehouse.storage.database import UtcDateTime, metadata

OPEN = text("status IN ('claimed', 'unknown')")

effects = Table(
    "effects",
    metadata,
    Column("run_id", String(36), primary_key=True),
    # the model's, bounded; of a call without one: where in the graph it was made, and the how manieth there
    Column("call_id", String(255), primary_key=True),
    # of the tool and its arguments: some providers use an id again
    Column("digest", String(64), primary_key=True),
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("user_name", String(255), nullable=False, server_default=""),
    Column("runnable", String(255), nullable=False, server_default=""),  # its name, without the slash
    Column("thread_id", String(36)),  # which may be deleted meanwhile
    Column("tool", String(255), nullable=False),
    Column("args", JSON(none_as_null=True)),
    # whether the effect and this row are committed together
    Column("in_transaction", Boolean, nullable=False, server_default=false()),
    Column("key", String(64), nullable=False),  # what the tool hands to the other side
    Column("status", String(16), nullable=False),  # claimed, done, failed, unknown
    Column("attempt", Integer, nullable=False),  # the newest that has called it
    Column("decided", Integer, nullable=False),  # how often a person had it called again
    Column("result_type", String(32)),
    Column("result", LargeBinary),  # what the tool returned, as checkpoints are written
    Column("error", Text),  # what the model is told of one that failed, or why it is unknown
    Column("same_as", String(255)),  # the id of an earlier call of the same
    Column("claimed_at", UtcDateTime, nullable=False),
    Column("settled_at", UtcDateTime),
    Index(None, "tenant_id", "user_id"),
    Index(None, "claimed_at"),
    Index(None, "run_id", postgresql_where=OPEN, sqlite_where=OPEN),
)
