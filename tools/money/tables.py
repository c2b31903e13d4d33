"""The tables of the tools that act: what a customer has to spend, and what they did with it.

Every row is keyed by tenant and user, and of a transfer or an order by the key of its effect: a second row of
the same effect cannot be.
"""

from sqlalchemy import CheckConstraint, Column, DateTime, Numeric, PrimaryKeyConstraint, String, Table, func

from tools.portfolio.tables import MONEY, QUANTITY, metadata

BALANCE = Numeric(18, 2)

cash_accounts = Table(
    "cash_accounts",
    metadata,
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("balance", BALANCE, nullable=False),
    PrimaryKeyConstraint("tenant_id", "user_id"),
    CheckConstraint("balance >= 0", name="covered"),
)

transfers = Table(
    "transfers",
    metadata,
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),  # who sends
    Column("effect_key", String(64), nullable=False),
    Column("recipient", String(255), nullable=False),
    Column("amount", BALANCE, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "user_id", "effect_key"),
    CheckConstraint("amount > 0", name="positive"),
)

orders = Table(
    "orders",
    metadata,
    Column("tenant_id", String(255), nullable=False),
    Column("user_id", String(255), nullable=False),
    Column("effect_key", String(64), nullable=False),
    Column("symbol", String(16), nullable=False),
    Column("quantity", QUANTITY, nullable=False),
    Column("price", MONEY, nullable=False),  # at which the money for it was set aside
    Column("placed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant_id", "user_id", "effect_key"),
    CheckConstraint("quantity > 0", name="positive"),
)
