"""What customers have to spend, and the transfers and orders that the agent's tools make of it.

Revision ID: 0002
"""

import sqlalchemy as sa
from alembic import op

from gatehouse import isolate_tenants

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cash_accounts",
        sa.Column("tenant_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("balance", sa.Numeric(18, 2), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", name="pk_cash_accounts"),
        sa.CheckConstraint("balance >= 0", name="ck_cash_accounts_covered"),
    )
    op.create_table(
        "transfers",
        sa.Column("tenant_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("effect_key", sa.String(64), nullable=False),
        sa.Column("recipient", sa.String(255), nullable=False),
        sa.Column("amount", sa.Numeric(18, 2), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "effect_key", name="pk_transfers"),
        sa.CheckConstraint("amount > 0", name="ck_transfers_positive"),
    )
    op.create_table(
        "orders",
        sa.Column("tenant_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("effect_key", sa.String(64), nullable=False),
        sa.Column("symbol", sa.String(16), nullable=False),
        sa.Column("quantity", sa.Numeric(18, 6), nullable=False),
        sa.Column("price", sa.Numeric(18, 4), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "effect_key", name="pk_orders"),
        sa.CheckConstraint("quantity > 0", name="ck_orders_positive"),
    )
    isolate_tenants(["cash_accounts", "transfers", "orders"])


def downgrade() -> None:
    for table in ("orders", "transfers", "cash_accounts"):
        op.drop_table(table)
