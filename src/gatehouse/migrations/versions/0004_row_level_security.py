"""Row-level security on every table with a tenant; PostgreSQL only, SQLite has none.

A transaction sees the rows of the tenant that `gatehouse.tenant` names (`src/gatehouse/storage/tenancy.py`),
and without it none. FORCE: also for the role that owns the tables, as which the server usually connects.

Revision ID: 0004
"""

from alembic import op

from gatehouse.migrations.policies import isolate_tenants, unite_tenants

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = ("api_keys", "threads", "messages", "usage")


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    isolate_tenants(TABLES)
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
    unite_tenants(TABLES)
