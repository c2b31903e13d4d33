"""What a graph hands over is what LangGraph's own stream of it has, in the same order, and step by step."""

import asyncio
import operator
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AnyMessage, BaseMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.config import get_store, get_stream_writer
from langgraph.errors import GraphRecursionError
from langgraph.graph import START, StateGraph, add_messages
from langgraph.store.memory import InMemoryStore
from langgraph.types import Send, interrupt

from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.runs.sources.graphs.streaming import MODES, RUNTIME, streamed
from gatehouse.runs.sources.serving import Serving


class Talk(TypedDict, total=False):
    messages: Annotated[list[AnyMessage], add_messages]
    notes: Annotated[list[str], operator.add]


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    get_stream_writer()("adding")
    return a + b


@tool
def shout(what: str) -> str:
    """Say it aloud."""
    get_stream_writer()(what)
    return what.upper()


def agent() -> Any:
    return create_agent(ScriptedChatModel(), [add, shout])


def chain_of(*nodes: tuple[str, Any]) -> Any:
    graph = StateGraph(Talk)
    before = START
    for name, node in nodes:
        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    return graph.compile()


def says(text: str, model: BaseChatModel | None = None) -> Callable[[Talk], Any]:
    def say(state: Talk) -> Any:
        get_stream_writer()(f"about to say {text}")
        return {"messages": [(model or ScriptedChatModel()).invoke(f"[say {text}]")]}

    return say


async def noted(state: Talk) -> Any:
    return {"notes": ["noted"]}


async def asks(state: Talk) -> Any:
    return {"notes": [interrupt("really?")]}


async def fails(state: Talk) -> Any:
    await ScriptedChatModel().ainvoke("[tokens 3]")
    raise LookupError("nothing here")


def endless() -> Any:
    graph = StateGraph(Talk)
    graph.add_node("again", noted)
    graph.add_edge(START, "again")
    graph.add_edge("again", "again")
    return graph.compile()


def forked() -> Any:
    graph = StateGraph(Talk)
    graph.add_node("each", noted)
    graph.add_conditional_edges(START, lambda _: [Send("each", {}), Send("each", {})])
    return graph.compile()


async def remembers(state: Talk) -> Any:
    store = get_store()
    await store.aput(("said",), "last", {"text": "hi"})
    return {"notes": [str((await store.aget(("said",), "last")) is not None)]}


def remembering() -> Any:
    graph = StateGraph(Talk)
    graph.add_node("remember", remembers)
    graph.add_edge(START, "remember")
    return graph.compile(store=InMemoryStore())


GRAPHS: dict[str, tuple[Callable[[], Any], str]] = {
    "an agent": (agent, '[tool add {"a": 1, "b": 2}] [tokens 40]'),
    "a tool in a thread": (agent, '[tool shout {"what": "hi"}] [say done]'),
    "a graph inside": (lambda: chain_of(("inner", agent()), ("after", noted)), '[tool add {"a": 1, "b": 2}]'),
    "models in threads": (lambda: chain_of(("one", says("a b c")), ("two", says("d e f"))), "hi"),
    "nodes beside each other": (forked, "hi"),
    "a store": (remembering, "hi"),
    "a question": (lambda: chain_of(("before", noted), ("ask", asks)), "hi"),
    "a loop, to the step limit": (endless, "hi"),
    "a failure": (lambda: chain_of(("before", noted), ("fail", fails)), "hi"),
}


def plain(piece: Any) -> Any:
    """Return a piece of a stream without what is made anew each time."""
    if isinstance(piece, BaseMessage):
        calls = [call["name"] for call in getattr(piece, "tool_calls", ())]
        return type(piece).__name__, piece.content, calls
    if isinstance(piece, dict):
        return {name: plain(part) for name, part in piece.items() if not name.startswith("langgraph_path")}
    if isinstance(piece, list | tuple):
        return [plain(part) for part in piece]
    return getattr(piece, "value", piece)


async def told(stream: Any) -> tuple[list[Any], str]:
    """Return the pieces of a stream, and how it failed."""
    pieces: list[Any] = []
    try:
        async with aclosing(stream) as all_of_it:
            async for namespace, mode, payload in all_of_it:
                said = (payload[0], payload[1]["langgraph_node"]) if mode == "messages" else payload
                pieces.append(([part.partition(":")[0] for part in namespace], mode, plain(said)))
    except (LookupError, GraphRecursionError) as error:
        return pieces, str(error)
    return pieces, ""


class TestStreamed:
    @pytest.mark.parametrize("name", GRAPHS)
    async def test_has_what_langgraph_streams(self, name: str) -> None:
        make, text = GRAPHS[name]
        value: Any = {"messages": [("human", text)]}
        config: RunnableConfig = {"configurable": {"thread_id": "1"}, "recursion_limit": 25}
        theirs = make().astream(value, config, stream_mode=sorted(MODES), subgraphs=True)
        ours, expected = await told(streamed(make(), value, config, None)), await told(theirs)
        assert ours == expected
        assert len(ours[0]) > 2

    async def test_begins_no_step_before_the_last_one_was_taken(self) -> None:
        begun: list[str] = []

        def node(name: str) -> Any:
            async def work(state: Talk) -> Any:
                begun.append(name)
                return {"notes": [name]}

            return work

        graph = chain_of(("one", node("one")), ("two", node("two")), ("three", node("three")))
        async with aclosing(streamed(graph, {"notes": []}, {}, None)) as stream:
            async for _, mode, payload in stream:
                if mode == "updates":
                    for _ in range(20):
                        await asyncio.sleep(0)
                    assert begun[-1] in payload

    async def test_ends_the_graph_with_whoever_leaves(self) -> None:
        ended = asyncio.Event()

        async def endless(state: Talk) -> Any:
            try:
                get_stream_writer()("begun")
                await asyncio.Event().wait()
            finally:
                ended.set()

        async with aclosing(streamed(chain_of(("endless", endless)), {"notes": []}, {}, None)) as stream:
            async for _, mode, _ in stream:
                if mode == "custom":
                    break
        assert ended.is_set()

    async def test_is_cancelled_as_often_as_its_caller_is(self) -> None:
        stubborn, begun = asyncio.Event(), asyncio.Event()

        async def node(state: Talk) -> Any:
            begun.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                stubborn.set()
                await asyncio.Event().wait()

        async def follow(stream: AsyncGenerator[Any]) -> None:
            async with aclosing(stream) as pieces:
                async for _ in pieces:
                    pass

        task = asyncio.create_task(follow(streamed(chain_of(("node", node)), {"notes": []}, {}, None)))
        await begun.wait()
        task.cancel()
        await stubborn.wait()
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


class TestContext:
    def test_a_graph_that_is_handed_a_context_has_its_store(self) -> None:
        graph = remembering()
        configurable = Serving(graph, context=lambda _: "about").configurable({}, {})
        assert configurable[RUNTIME].store is graph.store
        assert configurable[RUNTIME].context == "about"
