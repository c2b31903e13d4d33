"""LangChain's log of a run: what is left out of it, and how it is stopped."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda
from langchain_core.runnables.utils import AddableDict
from langchain_core.tracers import RunLog, RunLogPatch

from gatehouse.runs.sources.run_log import GrowingOutput
from gatehouse.runs.sources.sources import source
from gatehouse.runs.sources.weighing import weight

WORDS = 300
WORD = 50 * "-"  # so that it is quadratic after few of them


async def words(_: AsyncIterator[Any]) -> AsyncIterator[Any]:
    for number in range(WORDS):
        yield f"{WORD} {number} "


async def messages(_: AsyncIterator[Any]) -> AsyncIterator[Any]:
    for number in range(WORDS):
        yield AIMessageChunk(content=f"{WORD} {number} ", id="m")


async def objects(_: AsyncIterator[Any]) -> AsyncIterator[Any]:
    for number in range(WORDS):
        more = {"sources": ["a"]} if number == 100 else {}
        yield AddableDict(said=f"{WORD} {number} ", **more)


async def large_values(_: AsyncIterator[Any]) -> AsyncIterator[Any]:
    for number in range(5):
        yield AddableDict({str(number): "x" * 9000})


async def own_log(runnable: Runnable[Any, Any]) -> list[RunLogPatch]:
    config: Any = {"configurable": {"run_id": "r", "attempt": 1}}
    return [patch async for patch in source("log", runnable, {}, config, lambda told: None, {})]


def state_of(patches: list[RunLogPatch]) -> Any:
    """Return what the patches make, without what differs from run to run."""
    whole = RunLog(state=None)  # type: ignore[arg-type]
    for patch in patches:
        whole = whole + patch
    return {name: whole.state[name] for name in ("streamed_output", "final_output")}


@pytest.mark.filterwarnings("ignore:astream_log is deprecated")
@pytest.mark.parametrize(
    ("said", "part"),
    [
        pytest.param(words, 0.2, id="text"),
        pytest.param(messages, 0.2, id="messages"),
        pytest.param(objects, 0.2, id="objects"),
        pytest.param(large_values, 1.0, id="large values of an object"),
    ],
)
async def test_it_makes_what_langchain_s_own_makes_of_far_fewer_bytes(said: Any, part: float) -> None:
    runnable = RunnableGenerator(said)
    langchain_s = [patch async for patch in runnable.astream_log({})]
    ours = await own_log(runnable)
    assert state_of(ours) == state_of(langchain_s)
    assert weight(ours) <= part * weight(langchain_s)


def test_a_change_inside_an_output_that_was_left_out_comes_after_it() -> None:
    output = GrowingOutput()
    first, second = ({"op": "replace", "path": "/final_output/text", "value": "x" * n} for n in (5000, 5001))
    inside = {"op": "add", "path": "/final_output/sources/-", "value": "a"}
    assert output.thinned([first, second]) == [first]
    assert output.thinned([inside]) == [second, inside]
    assert output.rest() == []


def test_one_that_shrinks_is_told_at_once() -> None:
    output = GrowingOutput()
    changes = [{"op": "replace", "path": "/final_output", "value": "x" * n} for n in (9000, 9001, 8000)]
    assert output.thinned(changes) == [changes[0], changes[2]]


@pytest.mark.parametrize("leave", ["cancelled", "closed"])
async def test_stopping_it_stops_the_runnable(leave: str) -> None:
    ended = asyncio.Event()

    async def waits(_: AsyncIterator[Any]) -> AsyncIterator[str]:
        try:
            yield "first"
            await asyncio.Event().wait()
        finally:
            ended.set()

    config: Any = {"configurable": {"run_id": "r", "attempt": 1}}
    log = source("log", RunnableGenerator(waits), {}, config, lambda told: None, {})
    while not any(op["path"] == "/final_output" for op in (await anext(log)).ops):
        pass
    if leave == "cancelled":

        async def rest() -> list[Any]:
            return [patch async for patch in log]

        task = asyncio.create_task(rest())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            async with asyncio.timeout(2):
                await task
    else:
        async with asyncio.timeout(2):
            await log.aclose()
    assert ended.is_set()


async def test_one_that_is_left_at_once_never_begins() -> None:
    begun = asyncio.Event()

    async def begins(_: Any) -> str:
        begun.set()
        return "x"

    config: Any = {"configurable": {"run_id": "r", "attempt": 1}}
    log = source("log", RunnableLambda(begins), {}, config, lambda told: None, {})
    await anext(log)
    await log.aclose()
    assert not begun.is_set()


async def test_the_error_of_the_runnable_is_raised() -> None:
    async def fails(_: Any) -> str:
        raise ValueError("of the runnable")

    with pytest.raises(ValueError, match="of the runnable"):
        await own_log(RunnableLambda(fails))
