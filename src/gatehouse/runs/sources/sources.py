"""Where a run's events come from: LangChain's cheapest faithful stream for each kind of runnable."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Literal, cast

from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import Runnable, RunnableConfig, RunnableSequence
from langgraph.pregel import Pregel

from gatehouse.models.errors import AnswerUnusable
from gatehouse.problems.approvals import CannotAsk
from gatehouse.runs.sources.answers import messages_in, tool_steps_in
from gatehouse.runs.sources.gathering import Gathering
from gatehouse.runs.sources.graphs.answering import answering
from gatehouse.runs.sources.graphs.checkpoints import Graph, checkpoint_of, checkpointed
from gatehouse.runs.sources.graphs.interrupts import asked_of, interrupts_in
from gatehouse.runs.sources.graphs.running import graph_steps
from gatehouse.runs.sources.merging import merged
from gatehouse.runs.sources.pacing import Pace, Pacing, at_will
from gatehouse.runs.sources.run_log import Logged, patches
from gatehouse.runs.sources.serving import Serving, serving_of
from gatehouse.runs.sources.steps import (
    NOTHING,
    Asked,
    AsksPeople,
    Interrupted,
    Returned,
    Step,
    is_stepwise,
)
from gatehouse.runs.sources.telling import Emit, tell
from gatehouse.runs.sources.text.chain import TextChain, nameless
from gatehouse.runs.sources.unwrapping import bound_config, ends_in_parser, has_graph, unwrapped

Mode = Literal["told", "stream", "invoke", "events", "log"]


def source(
    mode: Mode,
    served: Runnable[Any, Any] | Serving,
    value: Any,
    config: RunnableConfig,
    emit: Emit,
    options: dict[str, Any],
    pace: Pace = at_will,
) -> AsyncGenerator[Any]:
    """Run a runnable, give every event and at last the answer to `emit`, and yield what its mode yields.

    That is what LangChain's stream of this name does. `told` is for those who are told the events alone: what
    it yields is nobody's. Where LangChain queues what it yields, the runnable waits for `pace`.
    """
    serving = serving_of(served)
    runnable = serving.runnable
    if mode == "invoke" or (mode in ("told", "stream") and hides_graph(serving)):
        return output(serving, value, config, emit)
    if mode in ("told", "stream"):
        return chunks(serving, value, config, emit)
    config = merged(config, {"callbacks": [Pacing(pace)]})
    if mode == "events" and isinstance(unwrapped(runnable), Pregel):
        own = checkpointed(config, serving.keeps_state)
        return graph_events(serving, value, own, emit, options)
    observed = Observed(serving, emit, pace)
    # which a graph has too: its own log would end with the last update, not with what it returns
    if mode == "events":  # a generator, though LangChain declares it as an iterator
        return cast("AsyncGenerator[Any]", observed.astream_events(value, config, **options))
    return patches(observed, value, config, options)


async def chunks(serving: Serving, value: Any, config: RunnableConfig, emit: Emit) -> AsyncGenerator[Any]:
    """Run a runnable, give every event and the answer to `emit`, and yield its own chunks, or NOTHING."""
    runnable = serving.runnable
    if is_stepwise(runnable):
        async with aclosing(runnable.asteps(value, config)) as told_steps:
            async for step in told_steps:
                tell(step, emit, serving.shows_state)
                yield step if isinstance(step, AIMessageChunk) else NOTHING
        return
    if serving.has_graph and (ending := ending_graph(runnable, config)) is not None:
        before, graph, config = ending
        for earlier in before:
            value = await earlier.ainvoke(value, nameless(config))
        answers = serving.answering or answering(graph)
        async with aclosing(graph_steps(graph, value, config, answers, serving.keeps_state)) as steps:
            async for told, chunk in steps:
                if told is not None:
                    tell(told, emit, serving.shows_state)
                yield chunk
        return
    gathering, nothing = Gathering(emit, serving.order), True
    async with aclosing(astream(runnable, value, config)) as stream:
        async for chunk in stream:
            nothing = False
            gathering.add(chunk)
            yield chunk
    if nothing and ends_in_parser(
        runnable
    ):  # which says nothing of what it cannot read, and `ainvoke` raises
        raise AnswerUnusable("its text cannot be parsed")
    emit(gathering.answer())


def astream(runnable: Runnable[Any, Any], value: Any, config: RunnableConfig) -> AsyncGenerator[Any]:
    """Return the runnable's own stream, or that of the text chain that it is."""
    stream = (TextChain.of(runnable, config) or runnable).astream(value, config)
    return cast("AsyncGenerator[Any]", stream)


async def output(serving: Serving, value: Any, config: RunnableConfig, emit: Emit) -> AsyncGenerator[Any]:
    """Run a runnable in one piece: yield its output, and give the answer that it is to `emit`."""
    runnable = serving.runnable
    if serving.has_graph:
        config = checkpointed(config, serving.keeps_state)
    steps = {"on_step": partial(tell, emit=emit)} if is_stepwise(runnable) else {}
    try:
        whole = await (TextChain.of(runnable, config) or runnable).ainvoke(value, config, **steps)
    except AsksPeople as asking:
        emit(asking.interrupted)
        return
    if interrupts := interrupts_in(whole):
        ask(runnable, [asked_of(one) for one in interrupts], emit)
        return
    conclude(whole, emit, await left_state(serving, config))
    yield whole


def ask(runnable: Runnable[Any, Any], asked: Sequence[Asked], emit: Emit) -> None:
    """Give what a runnable asks to `emit`. Raises CannotAsk where it could not go on with the answers."""
    ending = ending_graph(runnable, {})
    if ending is None or not ending[1].checkpointer:
        raise CannotAsk
    emit(Interrupted(tuple(asked)))


async def left_state(serving: Serving, config: RunnableConfig) -> str:
    """Return the checkpoint of the state that a graph has left in its thread, empty for any other."""
    ending = ending_graph(serving.runnable, config) if serving.keeps_state else None
    return await checkpoint_of(ending[1], config) if ending else ""


def conclude(whole: Any, emit: Emit, checkpoint_id: str = "") -> None:
    """Give the tool steps of an output and the answer that it is to `emit`."""
    if (messages := messages_in(whole)) is not None:
        for step in tool_steps_in(messages):
            tell(step, emit)
    tell(Returned(whole, checkpoint_id), emit)


Ending = tuple[list[Runnable[Any, Any]], Graph, RunnableConfig]


def ending_graph(runnable: Runnable[Any, Any], config: RunnableConfig) -> Ending | None:
    """Return the graph that a runnable is or ends in, what comes before it, and its config; None without."""
    inside, config = unwrapped(runnable), bound_config(runnable, config)
    if isinstance(inside, Pregel):
        return [], inside, config
    if isinstance(inside, RunnableSequence) and not any(map(has_graph, inside.steps[:-1])):
        last = ending_graph(inside.steps[-1], config)
        if last is not None:
            return [*inside.steps[:-1], *last[0]], last[1], last[2]
    return None


def hides_graph(serving: Serving) -> bool:
    """Tell whether a graph stands where its stream cannot be followed: only the whole tells what it says."""
    unfollowed = serving.has_graph and ending_graph(serving.runnable, {}) is None
    return serving.may_return_graph or unfollowed


async def graph_events(
    serving: Serving, value: Any, config: RunnableConfig, emit: Emit, options: dict[str, Any]
) -> AsyncGenerator[Any]:
    """Yield LangChain's own events of a graph, and conclude from the one that ends it.

    They end with what the graph returns, as `ainvoke` does: without what its output schema leaves out.
    """
    whole: Any = None
    asked: dict[str, Asked] = {}
    root = ""
    graph = cast("Graph", unwrapped(serving.runnable))
    if graph.output_channels != graph.stream_channels_asis:
        options = {**options, "output_keys": graph.output_channels}
    async for event in cast("AsyncGenerator[Any]", serving.runnable.astream_events(value, config, **options)):
        root = root or event["run_id"]
        if event["run_id"] == root and event["event"] == "on_chain_end":
            whole = event["data"].get("output")
        elif event["run_id"] == root and event["event"] == "on_chain_stream":
            chunk = event["data"].get("chunk")
            told = chunk[-1] if isinstance(chunk, tuple) else chunk
            asked |= {one.id: asked_of(one) for one in interrupts_in(told)}
        yield event
    if asked:
        ask(serving.runnable, list(asked.values()), emit)
        return
    conclude(whole, emit, await left_state(serving, config))


class Observed(Logged):
    """A runnable with its events given to `emit`, for LangChain's own `astream_events` around it."""

    def __init__(self, serving: Serving, emit: Emit, pace: Pace) -> None:
        self.serving = serving
        self.emit = emit
        self.pace = pace

    def invoke(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
        raise TypeError("An observed runnable is only streamed.")

    async def astream(
        self, input: Any, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        self.streaming = asyncio.current_task()
        if self.stopped:
            return
        try:
            async for chunk in self._chunks(input, config or {}):
                yield chunk
                await self.pace()
        except asyncio.CancelledError as error:
            if self.stopped or (self.streaming and self.streaming.cancelling()):
                raise
            raise RuntimeError(
                "the runnable cancelled itself"
            ) from error  # LangChain would end the stream well

    async def _chunks(self, value: Any, config: RunnableConfig) -> AsyncIterator[Any]:
        runnable = self.serving.runnable
        if not is_stepwise(runnable):
            run = output if self.serving.has_graph or self.serving.may_return_graph else chunks
            async for chunk in run(self.serving, value, config, self.emit):
                yield chunk
            return

        def on_step(step: Step) -> None:
            tell(step, self.emit, self.serving.shows_state)

        # its `astream` has a parameter more
        async for chunk in runnable.astream(value, config, on_step=on_step):  # type: ignore[attr-defined]
            yield chunk
