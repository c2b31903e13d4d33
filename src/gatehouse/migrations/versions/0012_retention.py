"""Threads that were not written in for long can be found: GATEHOUSE_THREAD_DAYS.

On PostgreSQL the operator's transactions see which threads there are, of all tenants; what is in them, and
to delete them, takes a transaction of their tenant.

Revision ID: 0012
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_threads_updated_at", "threads", ["updated_at"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE POLICY for_operator ON threads FOR SELECT "
            "USING (current_setting('gatehouse.operator', true) = 'on')"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP POLICY for_operator ON threads")
    op.drop_index("ix_threads_updated_at", "threads")
