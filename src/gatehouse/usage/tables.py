"""The table of what runs used. Every row carries the tenant and the user whose run it was."""

from sqlalchemy import BigInteger, Column, Date, Index, String, Table

from gatehouse.storage.database import CutText, UtcDateTime, metadata

usage = Table(
    "usage",
    metadata,
    Column("run_id", String(36), primary_key=True),
    Column("model", CutText(255), primary_key=True),  # empty for a run that called none
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("runnable", String(255), nullable=False),
    Column("status", String(16), nullable=False),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("total_tokens", BigInteger, nullable=False),
    Column("finish_reason", CutText(64), nullable=False, server_default=""),  # of the run's answer
    Column("reasoning_tokens", BigInteger, nullable=False, server_default="0"),  # of the output's
    Column("cached_tokens", BigInteger, nullable=False, server_default="0"),  # of the input's
    Column("estimated_tokens", BigInteger, nullable=False, server_default="0"),  # of both, counted by nobody
    Column("day", Date, nullable=False),  # of `ended_at`, in UTC
    Column("ended_at", UtcDateTime, nullable=False),
    Index(None, "tenant_id", "user_id", "day"),
    Index(None, "day"),  # by which old rows are found
)
