"""A graph as it runs: what it says, which tools it calls, what it tells, and what it returns.

Tokens are told of the calls that may answer (`answering`), one message at a time. A
message that turns out to be no part of the answer is taken back. What the last state says is the answer; the
run compares it with what was told, so that a viewer is never left with anything else.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

from langchain_core.runnables import RunnableConfig

from gatehouse.problems.approvals import CheckpointGone
from gatehouse.runs.continuing import pending_calls
from gatehouse.runs.conversation.places import GOING_ON, GoingOn
from gatehouse.runs.sources.graphs.answering import Answering
from gatehouse.runs.sources.graphs.checkpoints import (
    Graph,
    begun,
    checkpoint_of,
    checkpointed,
    durability_of,
    newest,
    pending,
)
from gatehouse.runs.sources.graphs.following import Following
from gatehouse.runs.sources.graphs.interrupts import resuming
from gatehouse.runs.sources.graphs.streaming import streamed
from gatehouse.runs.sources.steps import NOTHING, Interrupted, Returned, Step


async def graph_steps(
    graph: Graph, value: Any, config: RunnableConfig, answering: Answering, keeps: bool = False
) -> AsyncGenerator[tuple[Step | None, Any]]:
    """Yield each step (or None) with what the graph's own stream yields for it (or NOTHING).

    With a checkpointer, a run that was begun before goes on after its last finished step, with the answers
    to what it asked; while one is missing it asks again. `keeps` says that its checkpoints are the thread's
    memory. Raises CannotAsk and CheckpointGone.
    """
    going = config.get("configurable", {}).get(GOING_ON, GoingOn({}, told=False))
    config = checkpointed(config, keeps)
    if resumed := await begun(graph, config):
        config = newest(config)
        value = await resuming(graph, config, going.answers)
        if isinstance(value, Interrupted):
            yield value, NOTHING
            return
        # what has asked a person was not cut off by a crash
        pending_calls.set(frozenset() if going.answers else await pending(graph, config))
    elif going.answers:
        raise CheckpointGone
    own, following = graph.stream_mode, Following(answering, resumed, graph.output_channels, going.told)
    async with aclosing(streamed(graph, value, config, durability_of(graph))) as stream:
        async for namespace, mode, payload in stream:
            if mode == "messages" and "messages" not in own and following.goes_on(payload[0]):
                yield payload[0], NOTHING  # as nearly every piece of a stream is
                continue
            for told in told_of(following, own, namespace, mode, payload):
                yield told
    if following.asked:
        yield following.interrupted(graph), NOTHING
        return
    if resumed and following.state is None:  # it had ended, and nobody was told
        following.state = (await graph.aget_state(config)).values
    for step in following.last_steps():
        yield step, NOTHING
    yield Returned(following.output, await checkpoint_of(graph, config) if keeps else ""), NOTHING


def told_of(
    following: Following, own: Any, namespace: tuple[str, ...], mode: str, payload: Any
) -> Iterator[tuple[Step | None, Any]]:
    """Yield what a piece of a graph's stream is for its own stream, of the modes `own`, and its steps."""
    path = tuple(part.partition(":")[0] for part in namespace)
    if not path and mode in own:
        yield None, payload if isinstance(own, str) else (mode, payload)
    for step in following.steps(mode, payload, path):
        yield step, NOTHING


async def graph_output(graph: Graph, value: Any, config: RunnableConfig, keeps: bool = False) -> Any:
    """Return what the graph returns."""
    return await graph.ainvoke(value, checkpointed(config, keeps), durability=durability_of(graph))
