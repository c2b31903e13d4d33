"""Old rows of the books of usage are found by their day; on PostgreSQL the operator's role may erase them.

Those of the last 30 days nobody erases.

Revision ID: 0019
"""

from alembic import op

from gatehouse.migrations.policies import forbid_operator, permit_operator

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

OLD = "day < current_date - 30"
POLICIES = (("purge_sees", "SELECT", OLD), ("purge", "DELETE", OLD))


def upgrade() -> None:
    op.create_index("ix_usage_day", "usage", ["day"])
    permit_operator("usage", POLICIES)


def downgrade() -> None:
    forbid_operator("usage", POLICIES)
    op.drop_index("ix_usage_day", "usage")
