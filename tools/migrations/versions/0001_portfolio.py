"""The portfolio data of the agent's tools.

A database of Gatehouse 0.1.0 has these tables already: its own first migration made them.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

from gatehouse import isolate_tenants

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    if sa.inspect(op.get_bind()).has_table("holdings"):
        return
    _create_instruments_and_prices()
    _create_accounts_and_holdings()
    isolate_tenants(["accounts", "holdings"])


def downgrade() -> None:
    for table in ("holdings", "accounts", "prices", "instruments"):
        op.drop_table(table)


def _create_instruments_and_prices() -> None:
    op.create_table(
        "instruments",
        sa.Column("symbol", sa.String(16), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("sector", sa.String(64), nullable=False),
        sa.Column("price_source", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("symbol", name="pk_instruments"),
    )
    op.create_table(
        "prices",
        sa.Column("symbol", sa.String(16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("close", sa.Numeric(18, 4), nullable=False),
        sa.PrimaryKeyConstraint("symbol", "day", name="pk_prices"),
        sa.ForeignKeyConstraint(["symbol"], ["instruments.symbol"], name="fk_prices_instruments"),
        sa.CheckConstraint("close > 0", name="ck_prices_positive"),
    )
    op.create_index("ix_prices_day", "prices", ["day"])


def _create_accounts_and_holdings() -> None:
    op.create_table(
        "accounts",
        sa.Column("tenant_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("portfolio_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "portfolio_id", name="pk_accounts"),
    )
    op.create_table(
        "holdings",
        sa.Column("tenant_id", sa.String(255), nullable=False),
        sa.Column("user_id", sa.String(255), nullable=False),
        sa.Column("portfolio_id", sa.String(64), nullable=False),
        sa.Column("symbol", sa.String(16), nullable=False),
        sa.Column("quantity", sa.Numeric(18, 6), nullable=False),
        sa.Column("cost_basis", sa.Numeric(18, 4), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "user_id", "portfolio_id", "symbol", name="pk_holdings"),
        sa.ForeignKeyConstraint(["symbol"], ["instruments.symbol"], name="fk_holdings_instruments"),
        sa.ForeignKeyConstraint(
            ["tenant_id", "user_id", "portfolio_id"],
            ["accounts.tenant_id", "accounts.user_id", "accounts.portfolio_id"],
            name="fk_holdings_accounts",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("quantity > 0", name="ck_holdings_positive"),
    )
    op.create_index("ix_holdings_symbol", "holdings", ["symbol"])
