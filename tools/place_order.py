"""Places an order to buy, for which the caller's money is set aside."""

from typing import Annotated

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import ToolException, tool
from pydantic import Field
from sqlalchemy import select

from gatehouse import acts, as_json, caller_of, transaction_of
from tools.money.spending import CENT, balances, set_balance
from tools.money.tables import orders
from tools.portfolio.tables import prices


@acts(transaction=True)
@tool
async def place_order(
    symbol: Annotated[str, Field(min_length=1, max_length=16, description="ticker symbol, such as AAPL")],
    quantity: Annotated[int, Field(gt=0, le=1_000_000, description="how many shares to buy")],
    config: RunnableConfig,
) -> str:
    """Order shares for the user who asks, at the last known price: their cost is set aside at once."""
    caller, connection, wanted = caller_of(config), transaction_of(config), symbol.strip().upper()
    newest = select(prices.c.close).where(prices.c.symbol == wanted).order_by(prices.c.day.desc()).limit(1)
    price = await connection.scalar(newest)
    if price is None:
        raise ToolException(f"No price of {wanted} is known. Ask for a ticker symbol.")
    currency, held = await balances(connection, caller)
    cost = (price * quantity).quantize(CENT)
    left = held[caller.user_id] - cost
    await set_balance(connection, caller, caller.user_id, left, currency)
    row = {
        "tenant_id": caller.tenant_id, "user_id": caller.user_id, "effect_key": caller.effect_key,
        "symbol": wanted, "quantity": quantity, "price": price,
    }  # fmt: skip
    await connection.execute(orders.insert().values(row))
    return as_json(ordered=wanted, quantity=quantity, price=price, cost=cost, currency=currency, balance=left)
