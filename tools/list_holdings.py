"""What the caller holds."""

from decimal import Decimal
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, tool

from gatehouse import Resources, as_json, caller_of
from tools.portfolio.questions import holdings_of, portfolio_of
from tools.portfolio.store import Holding, PortfolioStore, price_sources


def list_holdings(resources: Resources) -> BaseTool:
    """Return the tool that lists the holdings of whoever calls."""
    store = PortfolioStore(resources.database)

    @tool("list_holdings")
    async def answer(config: RunnableConfig) -> str:
        """List what the user who asks holds now: quantity, price, market value, weight in percent, gain."""
        caller = caller_of(config)
        portfolio = await portfolio_of(store, caller)
        holdings = await holdings_of(store, caller, portfolio)
        total = sum((holding.market_value or Decimal() for holding in holdings), Decimal())
        return as_json(
            portfolio=portfolio.name,
            currency=portfolio.currency,
            as_of=max((holding.priced_on for holding in holdings if holding.priced_on), default=None),
            total_value=total,
            holdings=[_row(holding, total) for holding in holdings],
            price_source=price_sources(holding.instrument for holding in holdings),
        )

    return answer


def _row(holding: Holding, total: Decimal) -> dict[str, Any]:
    """Return a holding as the model sees it; what needs a price is null where no price is known."""
    value = holding.market_value
    return {
        "symbol": holding.instrument.symbol,
        "name": holding.instrument.name,
        "quantity": holding.quantity,
        "price": holding.price,
        "market_value": value,
        "weight_percent": value / total * 100 if value is not None else None,
        "unrealised_gain": holding.unrealised_gain,
    }
