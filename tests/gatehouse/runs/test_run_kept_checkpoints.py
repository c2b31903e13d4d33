"""Which checkpoints are kept, in both databases, and what another process makes of them."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any, TypedDict

import pytest
from agent_graphs import agent_graph
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.graph import START, StateGraph, add_messages
from langgraph.types import Command, interrupt
from migrated_databases import url_of
from postgres_databases import empty_database

from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.registry.entry import Parts
from gatehouse.runs.checkpoints.kept import is_last, is_worth_keeping
from gatehouse.runs.checkpoints.opening import open_checkpoints, set_up_checkpoints
from gatehouse.runs.sources.graphs.streaming_agent import StreamingAgent

Saver = BaseCheckpointSaver[Any]
CONFIG: RunnableConfig = {"configurable": {"thread_id": "run-1", "run_id": "run-1"}}
AGAIN: RunnableConfig = {"configurable": {**CONFIG["configurable"], "attempt": 2}}
CALL = AIMessage("", tool_calls=[{"name": "f", "args": {}, "id": "1"}])
TABLES = {
    "sqlite": ("checkpoints", "writes"),
    "postgresql": ("checkpoints", "checkpoint_writes", "checkpoint_blobs"),
}


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "sqlite":
        yield url_of(tmp_path / "gatehouse.db")
        return
    async with empty_database(request.getfixturevalue("postgres_url")) as url:
        await set_up_checkpoints(url)
        yield url


@pytest.fixture
def calls() -> list[str]:
    return []


def agent_of(saver: Saver, calls: list[str], *, slow: bool = False) -> StreamingAgent:
    """Return an agent with a tool that notes its calls, and one that never returns if it is `slow`."""

    @tool
    async def look_up(what: str) -> str:
        """Look something up."""
        calls.append(what)
        return f"the {what} is 4"

    @tool
    async def think() -> str:
        """Think it over."""
        calls.append("think")
        if slow:
            await asyncio.Event().wait()
        return "thought"

    tools: list[BaseTool] = [look_up, think]
    return StreamingAgent(agent_graph(Parts(ScriptedChatModel(), tools, saver)))


async def answer(
    saver: Saver, calls: list[str], query: str, config: RunnableConfig = CONFIG, **changes: Any
) -> str:
    steps = agent_of(saver, calls, **changes).asteps({"input": query}, config)
    return "".join([str(step.content) async for step in steps if isinstance(step, AIMessage)])


async def rows(saver: Any, url: str) -> int:
    """Return how many rows the saver's tables have."""
    count = 0
    for table in TABLES["sqlite" if url.startswith("sqlite") else "postgresql"]:
        if url.startswith("sqlite"):
            async with saver.conn.execute(f"SELECT count(*) AS n FROM {table}") as cursor:
                count += (await cursor.fetchone())[0]
        else:
            async with saver.conn.connection() as connection:
                cursor = await connection.execute(f"SELECT count(*) AS n FROM {table}")
                count += (await cursor.fetchone())["n"]
    return count


async def test_an_answer_without_tools_is_not_written_down(url: str, calls: list[str]) -> None:
    async with open_checkpoints(url) as saver:
        assert await answer(saver, calls, "[say hello]") == "hello"
        assert await rows(saver, url) == 0
        await saver.adelete_thread("run-1")
        assert vars(saver)["_unkept"] == {}


async def test_a_later_attempt_asks_anew_what_came_before_the_first_tool(url: str, calls: list[str]) -> None:
    async with open_checkpoints(url) as saver:
        assert await answer(saver, calls, "[say hello]") == "hello"
    async with open_checkpoints(url) as saver:
        assert await answer(saver, calls, "[say again]", AGAIN) == "again"


async def test_a_later_attempt_has_all_that_came_before_and_repeats_no_tool(
    url: str, calls: list[str]
) -> None:
    query = '[tool look_up {"what": "price"}] [tool think {}] [say It is 4.]'
    async with open_checkpoints(url) as saver:
        run = asyncio.create_task(answer(saver, calls, query, slow=True))
        while calls != ["price", "think"]:
            await asyncio.sleep(0.01)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
    async with open_checkpoints(url) as saver:
        state = await agent_of(saver, calls).graph.aget_state(CONFIG)
        kinds = [type(message) for message in state.values["messages"]]
        assert kinds == [HumanMessage, AIMessage, ToolMessage, AIMessage]
        assert state.next == ("tools",)
        assert await answer(saver, calls, "", AGAIN) == "It is 4."
        assert calls == ["price", "think", "think"]


async def test_the_answer_after_a_tool_is_asked_for_again_and_the_tool_is_not(
    url: str, calls: list[str]
) -> None:
    query = '[tool look_up {"what": "price"}] [say It is 4.]'
    async with open_checkpoints(url) as saver:
        assert await answer(saver, calls, query) == "It is 4."
    async with open_checkpoints(url) as saver:
        state = await agent_of(saver, calls).graph.aget_state(CONFIG)
        assert isinstance(state.values["messages"][-1], ToolMessage)
        assert state.next == ("model",)
        assert await answer(saver, calls, "", AGAIN) == "It is 4."
    assert calls == ["price"]


async def test_an_answer_is_kept_beside_what_waits_for_a_person(url: str) -> None:
    said: list[str] = []

    async def speak(state: Talk) -> Talk:  # LangGraph hands it by this name
        said.append("done")
        return {"messages": [AIMessage("done")]}

    async def ask(state: Talk) -> Talk:
        return {"about": [interrupt("really?")]}

    graph = StateGraph(Talk)
    graph.add_node("first", lambda _: {"messages": [CALL]})
    graph.add_node("speak", speak)
    graph.add_node("ask", ask)
    graph.add_edge(START, "first")
    graph.add_edge("first", "speak")
    graph.add_edge("first", "ask")
    async with open_checkpoints(url) as saver:
        await graph.compile(checkpointer=saver).ainvoke({"messages": []}, CONFIG, durability="sync")
    async with open_checkpoints(url) as saver:
        whole = await graph.compile(checkpointer=saver).ainvoke(Command(resume="yes"), AGAIN)
    assert (whole["about"], said) == (["yes"], ["done"])


async def test_what_a_run_keeps_is_read_again_by_itself_alone(url: str, calls: list[str]) -> None:
    first: RunnableConfig = {"configurable": {**CONFIG["configurable"], "attempt": 1}}
    async with open_checkpoints(url) as saver:
        agent = agent_of(saver, calls)
        assert (await agent.graph.aget_state(first)).created_at is None
        assert await answer(saver, calls, '[tool look_up {"what": "price"}] [say 4]', first) == "4"
        assert (await agent.graph.aget_state(first)).next == ("model",)
        await saver.adelete_thread("run-1")
        assert (await agent.graph.aget_state(first)).created_at is None


async def test_the_end_of_a_run_leaves_nothing(url: str, calls: list[str]) -> None:
    async with open_checkpoints(url) as saver:
        await answer(saver, calls, '[tool look_up {"what": "price"}] [say It is 4.]')
        assert await rows(saver, url) > 0
        await saver.adelete_thread("run-1")
        assert await rows(saver, url) == 0


async def test_another_process_ends_what_was_kept_here(url: str, calls: list[str]) -> None:
    async with open_checkpoints(url) as saver:
        await answer(saver, calls, '[tool look_up {"what": "price"}] [say It is 4.]')
    async with open_checkpoints(url) as saver:
        await saver.adelete_thread("run-1")
        assert await rows(saver, url) == 0


class Talk(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    about: list[str]


async def test_what_was_given_in_the_beginning_is_kept_with_the_first_step(url: str) -> None:
    graph = StateGraph(Talk)
    graph.add_node("ask", lambda _: {"messages": [CALL]})
    graph.add_edge(START, "ask")
    async with open_checkpoints(url) as saver:
        await graph.compile(checkpointer=saver).ainvoke(
            {"messages": [HumanMessage("hi")], "about": ["gold"]}, CONFIG, durability="sync"
        )
    async with open_checkpoints(url) as saver:
        state = await graph.compile(checkpointer=saver).aget_state(CONFIG)
        assert state.values["about"] == ["gold"]
        assert [message.content for message in state.values["messages"]] == ["hi", ""]


async def test_a_graph_inside_the_first_node_is_kept_no_sooner_than_its_whole(url: str) -> None:
    inner = StateGraph(Talk)
    inner.add_node("one", lambda _: {"messages": [HumanMessage("one")]})
    inner.add_node("two", lambda _: {"messages": [HumanMessage("two")]})
    inner.add_edge(START, "one")
    inner.add_edge("one", "two")
    outer = StateGraph(Talk)
    outer.add_node("inner", inner.compile())
    outer.add_node("seen", lambda state: {"messages": [AIMessage(str(len(state["messages"])))]})
    outer.add_edge(START, "inner")
    outer.add_edge("inner", "seen")
    async with open_checkpoints(url) as saver:
        graph = outer.compile(checkpointer=saver)
        states = graph.astream({"messages": [HumanMessage("hi")]}, CONFIG, durability="sync")
        await anext(states)
        within = [kept async for kept in saver.alist({"configurable": {"thread_id": "run-1"}})]
        assert {kept.config["configurable"]["checkpoint_ns"] for kept in within} <= {""}
        async for _ in states:
            pass
        kept = await graph.aget_state(CONFIG)
        assert [message.content for message in kept.values["messages"]] == ["hi", "one", "two"]
        assert kept.next == ("seen",)
        await saver.adelete_thread("run-1")
        assert await rows(saver, url) == 0


@pytest.mark.parametrize(
    ("step", "messages", "worth"),
    [
        (-1, None, False),
        (0, [HumanMessage("hi")], False),
        (0, [CALL], False),  # of the thread's history: nothing has been done yet
        (1, [HumanMessage("hi"), AIMessage("hello")], False),
        (1, [HumanMessage("hi"), CALL], True),
        (1, [HumanMessage("hi")], True),  # a node before the model has done something
        (1, None, True),  # no agent's graph
        (1, [], True),
        (2, [HumanMessage("hi"), AIMessage("hello")], True),
    ],
)
def test_what_is_worth_keeping(step: int, messages: list[AnyMessage] | None, worth: bool) -> None:
    checkpoint = empty_checkpoint()
    if messages is not None:
        checkpoint["channel_values"]["messages"] = messages
    assert is_worth_keeping(checkpoint, {"step": step}) is worth


@pytest.mark.parametrize(
    ("written", "last"),
    [
        ({"messages": [ToolMessage("3", tool_call_id="1"), AIMessage("three")]}, True),
        ({"messages": AIMessage("three"), "total": 3}, True),
        ({"messages": [AIMessage("three")], "branch:to:check": None}, False),
        ({"messages": [AIMessage("three")], "__pregel_tasks": None}, False),
        ({"messages": [CALL]}, False),
        ({"messages": [ToolMessage("3", tool_call_id="1")]}, False),
        ({"messages": []}, False),
        ({"total": 3}, False),
    ],
)
def test_what_ends_a_run(written: dict[str, Any], last: bool) -> None:
    assert is_last(written) is last
    assert is_last({**written, "branch:to:earlier": None}, written.keys()) is last
