import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine
from tool_calls import answer, refusal

from tools.portfolio.tables import holdings, prices

Tools = dict[str, BaseTool]


class TestHoldings:
    async def test_are_valued_at_the_latest_price(self, tools: Tools, alice: RunnableConfig) -> None:
        listed = await answer(tools["list_holdings"], alice)
        assert listed["portfolio"] == "Alice Martin's demo portfolio"
        assert (listed["currency"], listed["as_of"]) == ("USD", "2026-10-30")
        assert [row["symbol"] for row in listed["holdings"]] == ["AAPL", "BND", "MSFT", "NVDA", "VTI"]
        apple = listed["holdings"][0]
        assert apple["name"] == "Apple"
        assert apple["quantity"] == 40
        assert apple["market_value"] == pytest.approx(40 * apple["price"], abs=0.01)

    async def test_add_up_to_the_total(self, tools: Tools, alice: RunnableConfig) -> None:
        listed = await answer(tools["list_holdings"], alice)
        rows = listed["holdings"]
        assert sum(row["market_value"] for row in rows) == pytest.approx(listed["total_value"], abs=0.05)
        assert sum(row["weight_percent"] for row in rows) == pytest.approx(100, abs=0.05)

    async def test_gain_is_against_what_was_paid(
        self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine
    ) -> None:
        async with engine.begin() as connection:
            await connection.execute(
                holdings.update().where(holdings.c.symbol == "AAPL").values(cost_basis=1000)
            )
        apple = (await answer(tools["list_holdings"], alice))["holdings"][0]
        assert apple["unrealised_gain"] == pytest.approx(apple["market_value"] - 1000, abs=0.01)

    async def test_say_that_the_demo_prices_are_synthetic(self, tools: Tools, alice: RunnableConfig) -> None:
        assert (await answer(tools["list_holdings"], alice))["price_source"] == "synthetic demo prices"

    async def test_without_a_price_are_listed_without_a_value(
        self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine
    ) -> None:
        async with engine.begin() as connection:
            await connection.execute(delete(prices).where(prices.c.symbol == "NVDA"))
        listed = await answer(tools["list_holdings"], alice)
        nvidia = next(row for row in listed["holdings"] if row["symbol"] == "NVDA")
        assert nvidia["quantity"] == 60
        assert [nvidia[key] for key in ("price", "market_value", "weight_percent", "unrealised_gain")] == (
            [None] * 4
        )
        rest = [row["market_value"] for row in listed["holdings"] if row is not nvidia]
        assert listed["total_value"] == pytest.approx(sum(rest), abs=0.05)

    async def test_without_any_price_are_of_no_day(
        self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine
    ) -> None:
        async with engine.begin() as connection:
            await connection.execute(delete(prices))
        assert (await answer(tools["list_holdings"], alice))["as_of"] is None


class TestWhose:
    async def test_each_caller_sees_their_own(
        self, tools: Tools, alice: RunnableConfig, bob: RunnableConfig
    ) -> None:
        assert "Alice" in (await answer(tools["list_holdings"], alice))["portfolio"]
        assert "Bob" in (await answer(tools["list_holdings"], bob))["portfolio"]

    @pytest.mark.parametrize(
        "config", [None, {}, {"configurable": {}}, {"configurable": {"user_id": "alice"}}]
    )
    async def test_nobody_gets_nothing(self, tools: Tools, config: RunnableConfig | None) -> None:
        assert "Nobody is signed in" in await refusal(tools["list_holdings"], config)

    async def test_what_the_model_writes_does_not_change_who_asks(
        self, tools: Tools, alice: RunnableConfig, bob: RunnableConfig
    ) -> None:
        listed = await answer(
            tools["list_holdings"], alice, user_id="bob", tenant_id="beta", config=bob, caller="bob"
        )
        assert "Alice" in listed["portfolio"]

    async def test_an_empty_portfolio_says_so(
        self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine
    ) -> None:
        async with engine.begin() as connection:
            await connection.execute(delete(holdings))
        assert "holds nothing" in await refusal(tools["list_holdings"], alice)
