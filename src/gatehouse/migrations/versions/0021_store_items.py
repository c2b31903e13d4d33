"""What runnables remember of users: the items of LangGraph's store.

Revision ID: 0021
"""

import sqlalchemy as sa
from alembic import op

from gatehouse.migrations.policies import isolate_tenants

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "store_items",
        sa.Column("tenant_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "namespace", "key", name="pk_store_items"),
    )
    isolate_tenants(["store_items"])


def downgrade() -> None:
    op.drop_table("store_items")
