from datetime import date, timedelta

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine
from tool_calls import answer, refusal

from tools.portfolio.tables import holdings, prices

Tools = dict[str, BaseTool]

PERFORMANCE = "get_portfolio_performance"


async def replace_prices(engine: AsyncEngine, closes: dict[str, tuple[float, ...]]) -> None:
    """Give the instruments these closes on consecutive days that end on 30 October 2026."""
    async with engine.begin() as connection:
        await connection.execute(delete(prices))
        rows = [
            {
                "symbol": symbol,
                "day": date(2026, 10, 30) - timedelta(days=len(series) - 1 - i),
                "close": close,
            }
            for symbol, series in closes.items()
            for i, close in enumerate(series)
        ]
        await connection.execute(prices.insert(), rows)


async def keep_only(engine: AsyncEngine, *symbols: str) -> None:
    async with engine.begin() as connection:
        await connection.execute(delete(holdings).where(holdings.c.symbol.not_in(symbols)))


class TestPerformance:
    async def test_values_the_holdings_at_the_prices_of_each_day(
        self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine
    ) -> None:
        await keep_only(engine, "AAPL", "NVDA")  # 40 and 60 of them
        await replace_prices(engine, {"AAPL": (100, 110, 120), "NVDA": (50, 60, 40)})
        assert await answer(tools[PERFORMANCE], alice, period="1w") == {
            "portfolio": "Alice Martin's demo portfolio",
            "currency": "USD",
            "period": "1w",
            "start_day": "2026-10-28",
            "end_day": "2026-10-30",
            "start_value": 7000.0,
            "end_value": 7200.0,
            "change": 200.0,
            "change_percent": 2.86,
            "best": {"symbol": "AAPL", "name": "Apple", "change_percent": 20.0},
            "worst": {"symbol": "NVDA", "name": "NVIDIA", "change_percent": -20.0},
            "series": [
                {"day": "2026-10-28", "value": 7000.0},
                {"day": "2026-10-29", "value": 8000.0},
                {"day": "2026-10-30", "value": 7200.0},
            ],
            "price_source": "synthetic demo prices",
        }

    async def test_is_of_one_year_when_no_period_is_given(self, tools: Tools, alice: RunnableConfig) -> None:
        performance = await answer(tools[PERFORMANCE], alice)
        assert (performance["start_day"], performance["end_day"]) == ("2025-10-30", "2026-10-30")

    @pytest.mark.parametrize(
        ("period", "start"),
        [
            ("1w", "2026-10-23"),
            ("1m", "2026-09-30"),
            ("3m", "2026-07-30"),
            ("6m", "2026-04-30"),
            ("1y", "2025-10-30"),
            ("2y", "2024-10-30"),
        ],
    )
    async def test_begins_with_the_period(
        self, tools: Tools, alice: RunnableConfig, period: str, start: str
    ) -> None:
        assert (await answer(tools[PERFORMANCE], alice, period=period))["start_day"] == start

    async def test_series_is_short_enough_for_a_model_and_keeps_both_ends(
        self, tools: Tools, alice: RunnableConfig
    ) -> None:
        performance = await answer(tools[PERFORMANCE], alice, period="2y")
        series = performance["series"]
        assert len(series) == 60
        assert series[0] == {"day": "2024-10-30", "value": performance["start_value"]}
        assert series[-1] == {"day": "2026-10-30", "value": performance["end_value"]}

    async def test_ends_with_the_value_that_list_holdings_tells(
        self, tools: Tools, bob: RunnableConfig
    ) -> None:
        performance = await answer(tools[PERFORMANCE], bob)
        assert performance["end_value"] == (await answer(tools["list_holdings"], bob))["total_value"]

    async def test_starts_when_all_holdings_have_prices(
        self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine
    ) -> None:
        await keep_only(engine, "AAPL", "NVDA")
        await replace_prices(engine, {"AAPL": (100, 110, 120, 130), "NVDA": (50, 60)})
        performance = await answer(tools[PERFORMANCE], alice, period="1m")
        assert performance["start_day"] == "2026-10-29"
        assert performance["start_value"] == 40 * 120 + 60 * 50


class TestRefusals:
    async def test_an_unknown_period_is_answered_with_the_known_ones(
        self, tools: Tools, alice: RunnableConfig
    ) -> None:
        message = await refusal(tools[PERFORMANCE], alice, period="5 weeks")
        assert "'1w', '1m', '3m', '6m', '1y' or '2y'" in message

    async def test_too_few_prices(self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine) -> None:
        await keep_only(engine, "AAPL")
        await replace_prices(engine, {"AAPL": (100,)})
        assert "Ask for a longer period" in await refusal(tools[PERFORMANCE], alice)

    async def test_no_prices_at_all(self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(delete(prices))
        assert "too few prices" in await refusal(tools[PERFORMANCE], alice)

    async def test_nobody_gets_nothing(self, tools: Tools) -> None:
        assert "Nobody is signed in" in await refusal(tools[PERFORMANCE])

    async def test_a_config_from_the_model_does_not_count(self, tools: Tools, bob: RunnableConfig) -> None:
        assert "Nobody is signed in" in await refusal(tools[PERFORMANCE], period="1y", config=bob)
