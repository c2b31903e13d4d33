"""The tables of the portfolio data. Every row that belongs to a person is keyed by tenant and user."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Numeric,
    PrimaryKeyConstraint,
    String,
    Table,
)

# Constraints have names, so that a later migration can alter them on every database
metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

MONEY = Numeric(18, 4)
QUANTITY = Numeric(18, 6)

instruments = Table(
    "instruments",
    metadata,
    Column("symbol", String(16), primary_key=True),
    Column("name", String(255), nullable=False),
    Column("sector", String(64), nullable=False),
    Column("price_source", String(64), nullable=False),
)

prices = Table(
    "prices",
    metadata,
    Column("symbol", String(16), ForeignKey(instruments.c.symbol), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("close", MONEY, nullable=False),
    CheckConstraint("close > 0", name="positive"),
    Index(None, "day"),
)

accounts = Table(
    "accounts",
    metadata,
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("portfolio_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("opened_on", Date, nullable=False),
    PrimaryKeyConstraint("tenant_id", "user_id", "portfolio_id"),
)

holdings = Table(
    "holdings",
    metadata,
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("portfolio_id", String(64), nullable=False),
    Column("symbol", String(16), ForeignKey(instruments.c.symbol), nullable=False),
    Column("quantity", QUANTITY, nullable=False),
    Column("cost_basis", MONEY, nullable=False),  # what was paid for the whole holding
    PrimaryKeyConstraint("tenant_id", "user_id", "portfolio_id", "symbol"),
    ForeignKeyConstraint(
        ["tenant_id", "user_id", "portfolio_id"],
        [accounts.c.tenant_id, accounts.c.user_id, accounts.c.portfolio_id],
        ondelete="CASCADE",
    ),
    CheckConstraint("quantity > 0", name="positive"),
    Index(None, "symbol"),
)
