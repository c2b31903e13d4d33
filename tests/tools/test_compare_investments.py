import pytest
from langchain_core.tools import BaseTool
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine
from tool_calls import answer, refusal

from tools.portfolio.tables import prices

Tools = dict[str, BaseTool]

COMPARE = "compare_investments"


class TestComparison:
    async def test_tells_start_end_and_change_of_each(self, tools: Tools) -> None:
        compared = await answer(tools[COMPARE], symbols=["MSFT", "AAPL"], period="2y")
        assert (compared["start_day"], compared["end_day"]) == ("2024-10-30", "2026-10-30")
        microsoft, apple = compared["investments"]
        assert (microsoft["symbol"], microsoft["start"]) == ("MSFT", 432.0)
        assert (apple["symbol"], apple["name"], apple["start"]) == ("AAPL", "Apple", 230.0)
        assert apple["change_percent"] == pytest.approx(100 * (apple["end"] / 230 - 1), abs=0.01)
        assert compared["price_source"] == "synthetic demo prices"

    async def test_series_start_at_a_hundred_and_are_short_enough_for_a_model(self, tools: Tools) -> None:
        compared = await answer(tools[COMPARE], symbols=["V", "JPM", "KO", "PG", "XOM", "CAT"], period="2y")
        assert len(compared["investments"]) == 6
        for row in compared["investments"]:
            assert len(row["series"]) == 30
            assert row["series"][0] == {"day": "2024-10-30", "value": 100.0}
            assert row["series"][-1]["value"] == pytest.approx(100 + row["change_percent"], abs=0.02)

    async def test_case_spaces_and_repeats_do_not_matter(self, tools: Tools) -> None:
        compared = await answer(tools[COMPARE], symbols=[" aapl", "Msft ", "AAPL"])
        assert [row["symbol"] for row in compared["investments"]] == ["AAPL", "MSFT"]

    async def test_needs_no_caller_for_public_prices(self, tools: Tools) -> None:
        assert (await answer(tools[COMPARE], symbols=["AAPL", "MSFT"]))["period"] == "1y"


class TestRefusals:
    @pytest.mark.parametrize(
        ("written", "suggested"),
        [("APPL", "AAPL (Apple)"), ("Nvidia", "NVDA (NVIDIA)"), ("coca cola", "KO (Coca-Cola)")],
    )
    async def test_an_unknown_symbol_is_answered_with_close_ones(
        self, tools: Tools, written: str, suggested: str
    ) -> None:
        message = await refusal(tools[COMPARE], symbols=["MSFT", written])
        assert f"There is no instrument {written.upper()}." in message
        assert suggested in message

    async def test_a_symbol_like_no_other_is_answered_with_the_known_ones(self, tools: Tools) -> None:
        message = await refusal(tools[COMPARE], symbols=["MSFT", "QQQQQQQQ"])
        assert "Known symbols: AAPL, AMZN, BND," in message

    async def test_the_same_symbol_twice_is_no_comparison(self, tools: Tools) -> None:
        assert "two different symbols" in await refusal(tools[COMPARE], symbols=["AAPL", "aapl"])

    @pytest.mark.parametrize("symbols", [[], ["AAPL"], ["A", "B", "C", "D", "E", "F", "G"]])
    async def test_fewer_than_two_or_more_than_six(self, tools: Tools, symbols: list[str]) -> None:
        assert "symbols: List should have at" in await refusal(tools[COMPARE], symbols=symbols)

    @pytest.mark.parametrize("symbol", ["A" * 65, "\ud800", 5, None])
    async def test_what_is_no_symbol(self, tools: Tools, symbol: object) -> None:
        assert "symbols.1: " in await refusal(tools[COMPARE], symbols=["AAPL", symbol])

    async def test_instruments_without_common_days(self, tools: Tools, engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(delete(prices).where(prices.c.symbol == "AAPL"))
        assert "too few prices of AAPL, MSFT" in await refusal(tools[COMPARE], symbols=["AAPL", "MSFT"])
