"""Money goes from the caller's account to another of their bank, once for each call."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from tool_calls import answer, refusal

from tools.money.tables import cash_accounts, orders, transfers

Tools = dict[str, BaseTool]


async def balances(engine: AsyncEngine) -> dict[str, Decimal]:
    async with engine.connect() as connection:
        rows = await connection.execute(select(cash_accounts.c.user_id, cash_accounts.c.balance))
        return {row.user_id: row.balance for row in rows}


async def called(tool: BaseTool, config: RunnableConfig, call_id: str, **args: Any) -> ToolMessage:
    call = {"type": "tool_call", "id": call_id, "name": tool.name, "args": args}
    message = await tool.ainvoke(call, config)
    assert isinstance(message, ToolMessage)
    return message


class TestATransfer:
    async def test_moves_the_amount(self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine) -> None:
        made = await answer(tools["transfer_money"], alice, to="carol", amount=12.5)
        assert made == {"sent": 12.5, "currency": "USD", "to": "carol", "balance": 9987.5}
        after = await balances(engine)
        assert (after["alice"], after["carol"]) == (Decimal("9987.50"), Decimal("10012.50"))

    async def test_of_one_call_is_made_once(
        self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine
    ) -> None:
        for _ in range(2):
            await answer(tools["transfer_money"], alice, to="carol", amount=1)
        assert (await balances(engine))["alice"] == 9999

    async def test_is_made_again_when_it_is_asked_for_again(
        self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine
    ) -> None:
        for call_id in ("a", "b"):
            await called(tools["transfer_money"], alice, call_id, to="carol", amount=1)
        assert (await balances(engine))["alice"] == 9998
        async with engine.connect() as connection:
            keys = (await connection.scalars(select(transfers.c.effect_key))).all()
        assert len(set(keys)) == 2

    @pytest.mark.parametrize(
        ("args", "why"),
        [
            ({"to": "carol", "amount": 10_000.01}, "not enough money: 0.01 USD are missing"),
            ({"to": "nobody", "amount": 1}, "no account in USD for nobody"),
            ({"to": "bob", "amount": 1}, "no account in USD for bob"),  # of another bank
            ({"to": "alice", "amount": 1}, "the user who sends"),
            ({"to": "carol", "amount": 0.001}, "two decimals"),
            ({"to": "carol", "amount": -5}, "amount: Input should be greater than 0"),
        ],
    )
    async def test_that_cannot_be_made_changes_nothing(
        self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine, args: dict[str, Any], why: str
    ) -> None:
        before = await balances(engine)
        assert why in await refusal(tools["transfer_money"], alice, **args)
        assert await balances(engine) == before

    async def test_never_spends_what_is_not_there(
        self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine
    ) -> None:
        made = await asyncio.gather(
            *(called(tools["transfer_money"], alice, f"c{n}", to="carol", amount=3000) for n in range(5))
        )
        assert sorted(message.status for message in made) == ["error", "error", *["success"] * 3]
        assert (await balances(engine))["alice"] == 1000


class TestAnOrder:
    async def test_sets_its_cost_aside(
        self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine
    ) -> None:
        made = await answer(tools["place_order"], alice, symbol="aapl", quantity=3)
        assert made["ordered"] == "AAPL"
        assert made["cost"] == pytest.approx(3 * made["price"], abs=0.01)
        assert float((await balances(engine))["alice"]) == pytest.approx(10_000 - made["cost"])
        async with engine.connect() as connection:
            [row] = (await connection.execute(select(orders))).all()
        assert (row.tenant_id, row.user_id, row.symbol, row.quantity) == ("acme", "alice", "AAPL", 3)

    async def test_of_what_is_too_dear_or_unknown_is_refused(
        self, tools: Tools, alice: RunnableConfig, engine: AsyncEngine
    ) -> None:
        assert "not enough money" in await refusal(tools["place_order"], alice, symbol="AAPL", quantity=1000)
        assert "No price of XYZ" in await refusal(tools["place_order"], alice, symbol="XYZ", quantity=1)
        assert (await balances(engine))["alice"] == 10_000
