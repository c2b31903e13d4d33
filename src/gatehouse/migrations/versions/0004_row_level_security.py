"""Row-level security on every table with a tenant; PostgreSQL only, SQLite has none.

A transaction sees the rows of the tenant that `gatehouse.tenant` names (`tools/tenancy.py`), and without it
none. FORCE: also for the role that owns the tables, as which the server usually connects.

Revision ID: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("api_keys", "threads", "messages", "usage", "accounts", "holdings")
OF_TENANT = "tenant_id = current_setting('gatehouse.tenant', true)"


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY of_tenant ON {table} USING ({OF_TENANT})")
    # who presents a key names its id only: this one row is seen, and not written, before its tenant is known
    op.execute(
        "CREATE POLICY by_id ON api_keys FOR SELECT USING (id = current_setting('gatehouse.api_key', true))"
    )
    op.execute(
        "CREATE POLICY for_operator ON api_keys FOR SELECT "
        "USING (current_setting('gatehouse.operator', true) = 'on')"
    )


def downgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute("DROP POLICY for_operator ON api_keys")
    op.execute("DROP POLICY by_id ON api_keys")
    for table in TABLES:
        op.execute(f"DROP POLICY of_tenant ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
