"""Sends money of the caller's to another customer of the same bank."""

from typing import Annotated

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import ToolException, tool
from pydantic import Field

from gatehouse import acts, as_json, caller_of, transaction_of
from tools.money.spending import balances, money, set_balance
from tools.money.tables import transfers


@acts(transaction=True)
@tool
async def transfer_money(
    to: Annotated[str, Field(min_length=1, max_length=255, description="the user id of whoever gets it")],
    amount: Annotated[float, Field(gt=0, le=1e9, description="in the currency of the user's account")],
    config: RunnableConfig,
) -> str:
    """Send money from the account of the user who asks to another customer of the bank."""
    caller, exact, connection = caller_of(config), money(amount), transaction_of(config)
    if to == caller.user_id:
        raise ToolException("The recipient is the user who sends. Ask who is meant.")
    currency, held = await balances(connection, caller, to)
    if to not in held:
        raise ToolException(f"The bank has no account in {currency} for {to}. Ask for the right user id.")
    left = held[caller.user_id] - exact
    await set_balance(connection, caller, caller.user_id, left, currency)
    await set_balance(connection, caller, to, held[to] + exact, currency)
    row = {
        "tenant_id": caller.tenant_id, "user_id": caller.user_id, "effect_key": caller.effect_key,
        "recipient": to, "amount": exact,
    }  # fmt: skip
    await connection.execute(transfers.insert().values(row))
    return as_json(sent=exact, currency=currency, to=to, balance=left)
