"""How the caller's portfolio did."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, tool
from pydantic import Field

from gatehouse import Resources, as_json, caller_of
from tools.portfolio.change import percent_change
from tools.portfolio.period import Period
from tools.portfolio.questions import holdings_of, portfolio_of, prices_over
from tools.portfolio.store import Holding, PortfolioStore, PriceTable, price_sources

POINTS = 60  # enough for a chart, few enough for a model's context


def get_portfolio_performance(resources: Resources) -> BaseTool:
    """Return the tool that tells how the portfolio of whoever calls did."""
    store = PortfolioStore(resources.database)

    @tool("get_portfolio_performance")
    async def answer(
        config: RunnableConfig,
        period: Annotated[Period, Field(description="how far back, from the last day with prices")] = "1y",
    ) -> str:
        """Value of the portfolio of the user who asks over a period: start, end, change, best and worst.

        The holdings of today are valued at each day's prices; past purchases and sales are not known.
        """
        caller = caller_of(config)
        portfolio = await portfolio_of(store, caller)
        holdings = await holdings_of(store, caller, portfolio)
        instruments = [holding.instrument for holding in holdings]
        table = await prices_over(store, instruments, period, points=POINTS)
        values = _values(holdings, table)
        ranked = sorted(holdings, key=lambda holding: _change(holding, table), reverse=True)
        return as_json(
            portfolio=portfolio.name,
            currency=portfolio.currency,
            period=period,
            start_day=table.days[0],
            end_day=table.days[-1],
            start_value=values[0],
            end_value=values[-1],
            change=values[-1] - values[0],
            change_percent=percent_change(values[0], values[-1]),
            best=_summary(ranked[0], table),
            worst=_summary(ranked[-1], table),
            series=[{"day": day, "value": value} for day, value in zip(table.days, values, strict=True)],
            price_source=price_sources(instruments),
        )

    return answer


def _values(holdings: Sequence[Holding], table: PriceTable) -> list[Decimal]:
    """Return the value of all holdings on each day of the table."""
    return [
        sum((h.quantity * table.closes[h.instrument.symbol][i] for h in holdings), Decimal())
        for i in range(len(table.days))
    ]


def _change(holding: Holding, table: PriceTable) -> Decimal:
    series = table.closes[holding.instrument.symbol]
    return percent_change(series[0], series[-1])


def _summary(holding: Holding, table: PriceTable) -> dict[str, Any]:
    return {
        "symbol": holding.instrument.symbol,
        "name": holding.instrument.name,
        "change_percent": _change(holding, table),
    }
