"""Row-level security for a migration: a table's rows are seen by the transactions of their tenant only."""

from collections.abc import Iterable

from alembic import op

OF_TENANT = "tenant_id = current_setting('gatehouse.tenant', true)"


def isolate_tenants(tables: Iterable[str]) -> None:
    """Let PostgreSQL show a row of these tables only to a transaction of the row's `tenant_id`.

    `tenant_transaction` and `see_tenant` name a transaction's tenant; one without sees nothing. FORCE: also
    for the role that owns the tables, as which the server usually connects. SQLite has no such policies.
    """
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in tables:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {table} USING ({OF_TENANT})")


def unite_tenants(tables: Iterable[str]) -> None:
    """Take back what `isolate_tenants` did."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in tables:
        op.execute(f"DROP POLICY of_tenant ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
