"""What a runnable raises ends its own run, and nothing else."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypedDict

import pytest
from httpx import post
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda, RunnableParallel
from langgraph.graph import END, START, StateGraph
from live_server import running_server
from run_replicas import Replicas
from run_runnables import Told, Words
from run_viewers import last, seen

from gatehouse.runs.lifecycle.containing import RunnableExited


class Own(BaseException):
    """Somebody's own, beside Exception."""


EXITS = [SystemExit, KeyboardInterrupt, GeneratorExit, Own, asyncio.CancelledError]


def raising(kind: type[BaseException]) -> Callable[..., Any]:
    def work(*_arguments: Any) -> None:
        raise kind(2)

    return work


def in_coroutine(kind: type[BaseException]) -> Runnable[Any, Any]:
    async def work(_value: Any) -> str:
        raise kind(2)

    return RunnableLambda(work)


def in_thread(kind: type[BaseException]) -> Runnable[Any, Any]:
    return RunnableLambda(raising(kind))


def in_task(kind: type[BaseException]) -> Runnable[Any, Any]:
    async def work(_value: Any) -> str:
        async def inner() -> str:
            await asyncio.sleep(0)
            raise kind(2)

        return await asyncio.create_task(inner())

    return RunnableLambda(work)


def in_task_that_nobody_awaits(kind: type[BaseException]) -> Runnable[Any, Any]:
    async def work(_value: Any) -> str:
        async def inner() -> str:
            raise kind(2)

        task = asyncio.create_task(inner())
        await asyncio.wait({task})
        return "went on"

    return RunnableLambda(work)


def in_parallel(kind: type[BaseException]) -> Runnable[Any, Any]:
    return RunnableParallel(a=in_coroutine(kind), b=in_thread(kind))


def in_generator(kind: type[BaseException]) -> Runnable[Any, Any]:
    class Breaking(Words):
        async def astream(
            self, input: dict[str, Any], config: RunnableConfig | None = None, **_: Any
        ) -> AsyncIterator[str]:
            yield "a"
            raise kind(2)

    return Breaking()


class State(TypedDict):
    n: int


def in_graph(kind: type[BaseException]) -> Runnable[Any, Any]:
    graph = StateGraph(State)
    graph.add_node("node", in_coroutine(kind))
    graph.add_edge(START, "node")
    graph.add_edge("node", END)
    return graph.compile()


PLACES = [
    in_coroutine, in_thread, in_task, in_task_that_nobody_awaits, in_parallel, in_generator, in_graph,
]  # fmt: skip


@pytest.mark.parametrize("kind", EXITS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
async def test_run_fails_and_others_go_on(
    replicas: Replicas, told: Told, place: Callable[[type[BaseException]], Runnable[Any, Any]], kind: Any
) -> None:
    replicas.runnables = {**replicas.runnables, "/exits": place(kind)}
    here = await replicas.open()
    other = (await here.start("/told")).run.id
    exits = (await here.start("/exits", {"n": 1})).run.id
    status = last(await seen(here.engine, exits), "end")["status"]
    assert status == ("completed" if place is in_task_that_nobody_awaits else "failed")
    told.tell(other, "a")
    told.end(other)
    assert last(await seen(here.engine, other), "complete")["content"] == "a"


async def test_a_task_that_was_never_begun_leaves_no_warning(replicas: Replicas) -> None:
    async def work(_value: Any) -> str:
        async def never() -> None:
            raise AssertionError

        task = asyncio.create_task(never())
        task.cancel()
        await asyncio.wait({task})
        return "done"

    replicas.runnables = {"/cancels": RunnableLambda(work)}
    here = await replicas.open()
    run_id = (await here.start("/cancels")).run.id
    assert last(await seen(here.engine, run_id), "complete")["content"] == "done"


async def test_what_is_outside_of_runs_is_left_alone(replicas: Replicas) -> None:
    await replicas.open()

    async def outside() -> None:
        raise Own

    with pytest.raises(Own):
        await asyncio.create_task(outside())
    assert issubclass(RunnableExited, RuntimeError)


REGISTRY = """
import asyncio, sys
from langchain_core.runnables import RunnableLambda
from gatehouse import Entry

async def leave(value):
    asyncio.get_running_loop().call_soon(sys.exit, 3)
    await asyncio.sleep(0.2)
    return "still here"

REGISTRY = [
    Entry("/leave", lambda parts: RunnableLambda(leave) | str, "Ends the event loop."),
    Entry("/exit", lambda parts: RunnableLambda(lambda value: sys.exit(2)) | str, "Exits."),
]
"""


def test_server_lives_on_and_ends_when_it_is_told(tmp_path: Path) -> None:
    (tmp_path / "exiting.py").write_text(REGISTRY)

    with running_server(
        tmp_path, "exiting:REGISTRY", PYTHONPATH=f"{tmp_path}:{Path(__file__).parents[3]}"
    ) as server:
        headers = {"x-api-key": server.keys["alice"]}
        for name, status in (("exit", 500), ("leave", 200), ("exit", 500), ("leave", 200)):
            answer = post(
                f"{server.url}/{name}/invoke", json={"input": {"input": "x"}}, headers=headers, timeout=20
            )
            assert answer.status_code == status, answer.text
        server.send(signal.SIGTERM)
        assert server.exit_code() == 0
