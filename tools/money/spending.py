"""What a customer can spend, read and changed in the transaction of a tool that acts."""

from collections.abc import Mapping
from decimal import Decimal

from langchain_core.tools import ToolException
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from gatehouse import Caller
from tools.money.tables import cash_accounts

CENT = Decimal("0.01")


def money(amount: float) -> Decimal:
    """Return an amount to the cent. Raises ToolException for a fraction of one."""
    exact = Decimal(str(amount))
    if exact != exact.quantize(CENT):
        raise ToolException("An amount has at most two decimals. Ask the user for it.")
    return exact.quantize(CENT)


async def balances(
    connection: AsyncConnection, caller: Caller, *others: str
) -> tuple[str, Mapping[str, Decimal]]:
    """Return the caller's currency, and by user what they and these others of their tenant have.

    The accounts are locked, in an order that is the same for everybody. Raises ToolException when the caller
    has none.
    """
    wanted = cash_accounts.c.user_id.in_((caller.user_id, *others))
    query = select(cash_accounts).where(cash_accounts.c.tenant_id == caller.tenant_id, wanted)
    rows = (await connection.execute(query.order_by(cash_accounts.c.user_id).with_for_update())).all()
    currency = next((row.currency for row in rows if row.user_id == caller.user_id), None)
    if currency is None:
        raise ToolException("The user has no account to pay from.")
    return currency, {row.user_id: row.balance for row in rows if row.currency == currency}


async def set_balance(
    connection: AsyncConnection, caller: Caller, user_id: str, balance: Decimal, currency: str
) -> None:
    """Give a user of the caller's tenant a balance. Raises ToolException for less than nothing."""
    if balance < 0:
        raise ToolException(f"There is not enough money: {-balance} {currency} are missing.")
    mine = cash_accounts.c.tenant_id == caller.tenant_id, cash_accounts.c.user_id == user_id
    await connection.execute(update(cash_accounts).where(*mine).values(balance=balance))
