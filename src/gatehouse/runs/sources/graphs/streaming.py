"""What a graph streams, handed over where it comes about.

LangGraph's own stream of several modes has a queue, a task that waits for it, a task for each node and a
thread-safe call for each token. A graph inside of another hands what it streams to the outer one's queue
without these; here the whole graph does, and its steps are driven in one task.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from threading import get_ident
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.config import get_config
from langgraph.pregel._messages import StreamMessagesHandler
from langgraph.pregel.protocol import StreamProtocol
from langgraph.runtime import Runtime

from gatehouse.runs.sources.graphs.checkpoints import Graph
from gatehouse.runs.sources.merging import merged

# LangGraph's: where a graph finds who hears its stream, what a server has for it, and where it stands
STREAM, RUNTIME, NAMESPACE = "__pregel_stream", "__pregel_runtime", "checkpoint_ns"
BETWEEN = "|"  # the parts of a namespace
MODES = {"messages", "updates", "custom", "values"}

Piece = tuple[tuple[str, ...], str, Any]  # the namespace of a graph, the mode, and what is streamed


class Pieces:
    """What was streamed and is not taken yet."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._home = get_ident()
        self._ready: deque[Piece] = deque()
        self._came = asyncio.Event()
        self._taken = asyncio.Event()

    def put(self, piece: Piece) -> None:
        """Hand a piece over, from whatever thread."""
        if get_ident() != self._home:
            self._loop.call_soon_threadsafe(self.put, piece)
            return
        if not self._ready:
            self._came.set()
        self._ready.append(piece)

    def write(self, told: Any) -> None:
        """Hand over what a node gives to LangGraph's stream writer."""
        namespace = get_config()["configurable"][NAMESPACE].split(BETWEEN)
        self.put((tuple(namespace[:-1]), "custom", told))

    async def all_taken(self) -> None:
        """Return when nothing is left to be taken."""
        while self._ready:
            self._taken.clear()
            await self._taken.wait()

    async def until(self, task: "asyncio.Task[None]") -> AsyncGenerator[Piece]:
        """Yield what is handed over until the task is done, which ends with it. Raises what that raises."""
        task.add_done_callback(lambda _done: self._came.set())
        while True:
            while self._ready:
                yield self._ready.popleft()
            self._taken.set()
            if task.done():
                break
            self._came.clear()
            await self._came.wait()
        await task


async def streamed(
    graph: Graph, value: Any, config: RunnableConfig, durability: Any
) -> AsyncGenerator[Piece]:
    """Yield what `astream` of a graph and of those inside of it yields, in all four modes.

    Its next step begins when what the last one wrote was taken, as there.
    """
    pieces = Pieces()
    task = asyncio.create_task(driven(graph, value, telling(graph, config, pieces), durability, pieces))
    try:
        async with aclosing(pieces.until(task)) as stream:
            async for piece in stream:
                yield piece
    finally:
        await stopped(task)


def telling(graph: Graph, config: RunnableConfig, pieces: Pieces) -> RunnableConfig:
    """Return the config of a graph whose stream is handed over."""
    configurable = config.get("configurable", {})
    runtime = configurable.get(RUNTIME) or Runtime()
    heard = {
        **configurable,
        STREAM: StreamProtocol(pieces.put, cast("Any", MODES)),
        # a graph that finds a runtime takes its store from there, and not its own
        RUNTIME: runtime.override(stream_writer=pieces.write, store=runtime.store or graph.store),
    }
    listening = merged(config, {"callbacks": [StreamMessagesHandler(pieces.put, subgraphs=True)]})
    return {**listening, "configurable": heard}


async def driven(graph: Graph, value: Any, config: RunnableConfig, durability: Any, pieces: Pieces) -> None:
    """Run a graph from step to step."""
    stream = graph.astream(value, config, stream_mode=["updates", "values"], durability=durability)
    async with aclosing(cast("AsyncGenerator[Any]", stream)) as steps:
        async for _ in steps:
            await pieces.all_taken()


async def stopped(task: "asyncio.Task[None]") -> None:
    """Cancel the task, and return when it is done; as often as the caller is cancelled meanwhile."""
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        task.cancel()
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if not task.cancelled():
        task.exception()  # who left does not ask for it
    if cancelled is not None:
        raise cancelled
