"""A tool-calling agent as a run: its steps, and how it goes on after its process was killed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from agent_graphs import agent_graph
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from migrated_databases import url_of
from run_replicas import ALICE, LEASE, Conversations, Replicas, until
from run_viewers import Viewer, assembled, assert_dense, data, last, seen, types

from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.registry.entry import Parts
from gatehouse.runs.checkpoints.opening import open_checkpoints
from gatehouse.runs.events import ToolEnd, ToolStart
from gatehouse.runs.sources.graphs.streaming_agent import StreamingAgent
from gatehouse.runs.sources.tap import Tap


@pytest.fixture
def lease() -> float:
    return LEASE


ASK = '[tool look_up {"what": "price"}] [tool think {}] [say It is 4.]'


class Desk:
    """The agent's tools: how often each was called, and when the second one may end."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.go_on = asyncio.Event()


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.fixture(params=["memory", "sqlite"])
async def checkpoints(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[BaseCheckpointSaver[str]]:
    if request.param == "memory":
        yield InMemorySaver()
        return
    async with open_checkpoints(url_of(tmp_path / "gatehouse.db")) as saver:
        yield saver


@pytest.fixture
def office(replicas: Replicas, desk: Desk, checkpoints: BaseCheckpointSaver[str]) -> Replicas:
    """Replicas that serve an agent with two tools."""

    @tool
    async def look_up(what: str) -> str:
        """Look something up."""
        desk.calls.append("look_up")
        return f"the {what} is 4"

    @tool
    async def think() -> str:
        """Take as long as need be."""
        desk.calls.append("think")
        await desk.go_on.wait()
        return "thought"

    replicas.checkpoints = checkpoints
    replicas.runnables = {
        "/agent": StreamingAgent(agent_graph(Parts(ScriptedChatModel(), [look_up, think], checkpoints)))
    }
    return replicas


class TestAgent:
    async def test_shows_its_steps_and_keeps_them(
        self, office: Replicas, desk: Desk, history: Conversations
    ) -> None:
        desk.go_on.set()
        here = await office.open()
        run = (await here.start("/agent", {"input": ASK}, thread_id="t1")).run
        records = await seen(here.engine, run.id)
        steps = ["agent_action", "tool_start", "tool_end"] * 2
        assert [kind for kind in types(records) if kind != "token"] == ["start", *steps, "complete", "end"]
        assert assembled(records) == last(records, "complete")["content"] == "It is 4."
        [(_, kept)] = history.kept
        assert [step.type for step in kept] == ["start", *steps]
        found = await here.engine.get(ALICE, run.id)
        assert found.usage.output_tokens > 0

    async def test_goes_on_after_a_crash_without_repeating_a_finished_tool(
        self, office: Replicas, desk: Desk
    ) -> None:
        here, there = await office.open(), await office.open()
        run = (await here.start("/agent", {"input": ASK})).run
        viewer = Viewer(there.engine, run.id)
        await viewer.until(lambda viewer: viewer.types.count("tool_start") == 2)
        await until(lambda: desk.calls == ["look_up", "think"])
        await here.crash()
        desk.go_on.set()
        records = await viewer.end()
        assert_dense(records)
        assert desk.calls == ["look_up", "think", "think"]
        restarted = types(records)[types(records).index("restart") :]
        assert [kind for kind in restarted if kind != "token"] == ["restart", "tool_end", "complete", "end"]
        assert last(records, "tool_end")["output"] == "thought"
        assert last(records, "complete")["content"] == assembled(records) == "It is 4."

    async def test_keeps_the_steps_of_every_attempt(
        self, office: Replicas, desk: Desk, history: Conversations
    ) -> None:
        here, there = await office.open(), await office.open()
        run = (await here.start("/agent", {"input": ASK}, thread_id="t1")).run
        viewer = Viewer(there.engine, run.id)
        await viewer.until(lambda viewer: viewer.types.count("tool_start") == 2)
        await here.crash()
        desk.go_on.set()
        await viewer.end()
        [(_, kept)] = history.kept
        steps = [step for step in kept if isinstance(step, ToolStart | ToolEnd)]
        assert [(step.type, step.tool) for step in steps] == [
            ("tool_start", "look_up"),
            ("tool_end", "look_up"),
            ("tool_start", "think"),
            ("tool_end", "think"),
        ]

    async def test_starts_anew_after_a_crash_before_its_first_step(
        self, office: Replicas, desk: Desk
    ) -> None:
        desk.go_on.set()
        here, there = await office.open(), await office.open()
        run = (await here.start("/agent", {"input": ASK + " [delay 0.05]"})).run
        await here.crash()
        records = await seen(there.engine, run.id)
        assert assembled(records) == "It is 4."
        assert desk.calls == ["look_up", "think"]

    async def test_leaves_no_checkpoints_behind(
        self, office: Replicas, desk: Desk, checkpoints: BaseCheckpointSaver[str]
    ) -> None:
        here = await office.open()
        run = (await here.start("/agent", {"input": ASK})).run
        await Viewer(here.engine, run.id).until(lambda viewer: viewer.types.count("tool_start") == 2)
        config: RunnableConfig = {"configurable": {"thread_id": run.id}}
        assert await checkpoints.aget_tuple(config) is not None
        desk.go_on.set()
        await seen(here.engine, run.id)
        await until(lambda: not here.engine.local)
        assert await checkpoints.aget_tuple(config) is None

    async def test_cancelled_in_a_tool_keeps_its_steps(
        self, office: Replicas, desk: Desk, history: Conversations
    ) -> None:
        here = await office.open()
        run = (await here.start("/agent", {"input": ASK}, thread_id="t1")).run
        viewer = Viewer(here.engine, run.id)
        await viewer.until(lambda viewer: viewer.types.count("tool_start") == 2)
        await here.engine.cancel(run.id)
        assert last(await viewer.end(), "end")["status"] == "cancelled"
        assert [step.type for step in history.kept[0][1]].count("tool_end") == 1

    async def test_that_takes_too_many_steps_fails(self, office: Replicas, desk: Desk) -> None:
        desk.go_on.set()
        here = await office.open(recursion_limit=3)
        run = (await here.start("/agent", {"input": ASK})).run
        assert last(await seen(here.engine, run.id), "end")["status"] == "failed"

    async def test_yields_its_tokens_to_a_tap(self, office: Replicas, desk: Desk) -> None:
        desk.go_on.set()
        here = await office.open()
        tap = Tap("events", {"version": "v2"})
        run = (await here.start("/agent", {"input": ASK}, tap=tap)).run
        events = [event async for event in tap.chunks()]
        assert {"on_tool_start", "on_tool_end", "on_chat_model_stream"} <= {one["event"] for one in events}
        records = await seen(here.engine, run.id)
        assert [data(record)["tool"] for record in records if record.type == "tool_end"] == [
            "look_up",
            "think",
        ]
        assert assembled(records) == "It is 4."
