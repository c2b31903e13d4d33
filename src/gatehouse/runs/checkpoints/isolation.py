"""Row-level security on the tables of LangGraph's checkpointer in PostgreSQL, which know of no tenant.

A column says whose a row is, and takes it from the transaction. Rows of a release before this have none and
are seen by all: their runs are over within a day, and the sweep deletes them.
"""

from typing import Any

from psycopg import AsyncConnection

TABLES = ("checkpoints", "checkpoint_blobs", "checkpoint_writes")
TENANT = "coalesce(current_setting('gatehouse.tenant', true), '')"
SWEEP = "gatehouse.sweep"  # names, in a transaction, the run id before which runs are surely over

# A run's id is a UUIDv7: they are in the order of time. What is kept for a thread has another key.
SWEPT = f"thread_id < current_setting('{SWEEP}', true) AND metadata->>'run_id' = thread_id"


async def isolate(connection: AsyncConnection[Any]) -> None:
    """Give the tables their column and policies, unless they have them."""
    for table in TABLES:
        await connection.execute(
            f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS tenant_id text NOT NULL DEFAULT {TENANT}"
        )
        await connection.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        await connection.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        await policy(
            connection,
            "of_tenant",
            table,
            f"USING (tenant_id IN ('', {TENANT})) WITH CHECK (tenant_id = {TENANT})",
        )
    await policy(connection, "sweep_sees", "checkpoints", f"FOR SELECT USING ({SWEPT})")


async def policy(connection: AsyncConnection[Any], name: str, table: str, rule: str) -> None:
    """Make the policy, in place of one of the same name."""
    async with connection.transaction():
        await connection.execute(f"DROP POLICY IF EXISTS {name} ON {table}")
        await connection.execute(f"CREATE POLICY {name} ON {table} {rule}")


async def is_isolated(connection: AsyncConnection[Any]) -> bool:
    """Tell whether `isolate` was done."""
    cursor = await connection.execute(
        "SELECT count(*) AS found FROM pg_policies WHERE policyname = 'of_tenant' AND tablename = ANY(%s)",
        [list(TABLES)],
    )
    row = await cursor.fetchone()
    return bool(row and row["found"] >= len(TABLES))
