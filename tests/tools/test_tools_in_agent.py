"""The registry's tools inside a real LangChain agent; only the model is scripted."""

import asyncio
import json
from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool
from scripted_model import ScriptedModel, calls
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

Tools = dict[str, BaseTool]


async def results(tools: Tools, model: ScriptedModel, config: RunnableConfig) -> list[ToolMessage]:
    """Run the agent to its answer and return what its tools said."""
    agent: Runnable[Any, Any] = create_agent(model, list(tools.values()))
    state = await agent.ainvoke({"messages": [("user", "How am I doing?")]}, config)
    assert state["messages"][-1].text == "Done."
    return [message for message in state["messages"] if isinstance(message, ToolMessage)]


def asks(*tool_calls: tuple[str, dict[str, Any]]) -> ScriptedModel:
    return ScriptedModel(script=[calls(*tool_calls), AIMessage("Done.")])


class TestIdentity:
    async def test_reaches_the_tools_from_configurable(self, tools: Tools, alice: RunnableConfig) -> None:
        [message] = await results(tools, asks(("list_holdings", {})), alice)
        assert message.status == "success"
        assert json.loads(message.text)["portfolio"] == "Alice Martin's demo portfolio"

    async def test_cannot_be_written_by_the_model(
        self, tools: Tools, alice: RunnableConfig, bob: RunnableConfig
    ) -> None:
        forged = {"user_id": "bob", "tenant_id": "beta", "config": bob, "runtime": {"config": bob}}
        model = asks(("get_portfolio_performance", {"period": "1m", **forged}), ("list_holdings", forged))
        for message in await results(tools, model, alice):
            assert json.loads(message.text)["portfolio"] == "Alice Martin's demo portfolio"

    async def test_is_needed_for_personal_data(self, tools: Tools) -> None:
        [message] = await results(tools, asks(("list_holdings", {})), {"configurable": {}})
        assert message.status == "error"
        assert "Nobody is signed in" in message.text

    async def test_does_not_cross_between_interleaved_runs(
        self, tools: Tools, alice: RunnableConfig, bob: RunnableConfig
    ) -> None:
        model = asks(("list_holdings", {}), ("get_portfolio_performance", {}))
        runs = [results(tools, model, alice if i % 2 == 0 else bob) for i in range(30)]
        for i, messages in enumerate(await asyncio.gather(*runs)):
            owner = "Alice Martin" if i % 2 == 0 else "Bob Rossi"
            assert [json.loads(m.text)["portfolio"] for m in messages] == [f"{owner}'s demo portfolio"] * 2


class TestErrors:
    async def test_become_messages_and_the_agent_goes_on(self, tools: Tools, alice: RunnableConfig) -> None:
        model = asks(
            ("calculator", {"expression": "1/0"}),
            ("calculate_roi", {"initial": 0, "final": 1}),
            ("compare_investments", {"symbols": ["AAPL"]}),
            ("compare_investments", {"symbols": ["AAPL", "APPL"]}),
            ("get_portfolio_performance", {"period": "for ever"}),
        )
        messages = await results(tools, model, alice)
        assert [message.status for message in messages] == ["error"] * 5
        assert [message.tool_call_id for message in messages] == [f"call-{i}" for i in range(5)]
        assert model.seen[-1][-5:] == messages

    async def test_do_not_spoil_the_calls_beside_them(self, tools: Tools, alice: RunnableConfig) -> None:
        model = asks(("calculator", {"expression": "1/0"}), ("calculator", {"expression": "2*3"}))
        bad, good = await results(tools, model, alice)
        assert (bad.status, good.status) == ("error", "success")
        assert good.text == '{"expression":"2*3","result":6}'


async def test_no_connection_is_held_after_a_run(
    tools: Tools, alice: RunnableConfig, engine: AsyncEngine
) -> None:
    await results(tools, asks(("list_holdings", {}), ("get_portfolio_performance", {})), alice)
    assert isinstance(engine.pool, QueuePool)
    assert engine.pool.checkedout() == 0
