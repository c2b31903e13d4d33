"""How several instruments did beside each other."""

from typing import Annotated, Any

from langchain_core.tools import BaseTool, ToolException, tool
from pydantic import Field

from gatehouse import Resources, as_json
from tools.portfolio.change import percent_change
from tools.portfolio.period import Period
from tools.portfolio.questions import instruments_named, prices_over
from tools.portfolio.store import Instrument, PortfolioStore, PriceTable, price_sources

POINTS = 30  # of each instrument: six of them still fit into a model's context


def compare_investments(resources: Resources) -> BaseTool:
    """Return the tool that compares instruments."""
    store = PortfolioStore(resources.database)

    @tool("compare_investments")
    async def answer(
        symbols: Annotated[
            list[Annotated[str, Field(max_length=64)]],
            Field(min_length=2, max_length=6, description="ticker symbols, such as AAPL"),
        ],
        period: Annotated[Period, Field(description="how far back, from the last day with prices")] = "1y",
    ) -> str:
        """Compare two to six instruments over a period: start, end, change, and a series from 100."""
        instruments = await instruments_named(store, symbols)
        if len(instruments) == 1:
            raise ToolException("A comparison needs two different symbols. Ask which other one is meant.")
        table = await prices_over(store, instruments, period, points=POINTS)
        return as_json(
            period=period,
            start_day=table.days[0],
            end_day=table.days[-1],
            investments=[_row(instrument, table) for instrument in instruments],
            price_source=price_sources(instruments),
        )

    return answer


def _row(instrument: Instrument, table: PriceTable) -> dict[str, Any]:
    """Return an instrument's start and end price, its change, and its closes as percent of the first."""
    closes = table.closes[instrument.symbol]
    return {
        "symbol": instrument.symbol,
        "name": instrument.name,
        "start": closes[0],
        "end": closes[-1],
        "change_percent": percent_change(closes[0], closes[-1]),
        "series": [
            {"day": day, "value": close / closes[0] * 100}
            for day, close in zip(table.days, closes, strict=True)
        ],
    }
