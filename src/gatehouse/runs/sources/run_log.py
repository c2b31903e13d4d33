"""LangChain's log of a run, as patches: LangServe's playground reads no other stream.

LangChain's own puts all that was said so far into the patch of every chunk, which is quadratic, and waits for
the runnable's end when it is stopped.
"""

import asyncio
import warnings
from collections.abc import AsyncGenerator
from typing import Any, cast

from langchain_core._api import LangChainDeprecationWarning
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tracers import RunLogPatch

from gatehouse.runs.sources.weighing import weight

OUTPUT = "/final_output"
SMALL = 2048  # bytes of an output that is told with every chunk
GROWTH = 16  # a larger one is told again when it has grown by one of so many parts


class Logged(Runnable[Any, Any]):
    """A runnable that tells in which task it is streamed, and is not when it was stopped before."""

    streaming: asyncio.Task[Any] | None = None
    stopped = False

    def stop(self) -> None:
        self.stopped = True
        if self.streaming is not None:
            self.streaming.cancel()


async def patches(
    runnable: Logged, value: Any, config: RunnableConfig, options: dict[str, Any]
) -> AsyncGenerator[RunLogPatch]:
    """Run `runnable` and yield the patches of its log; together they make what LangChain's own make.

    LangChain deprecates the log, and warns at the first patch. Filters are the process's, and tasks that
    set and reset them would leave each other's behind: so this one, for these words alone, stays.
    """
    warnings.filterwarnings("ignore", "astream_log is deprecated", LangChainDeprecationWarning)
    log = cast("AsyncGenerator[RunLogPatch]", runnable.astream_log(value, config, **options))
    output = GrowingOutput()
    begun = False
    asked: asyncio.Task[RunLogPatch | None] | None = None
    try:
        while True:
            asked = asyncio.create_task(following(log))
            await asyncio.wait([asked])  # in a task of its own: LangChain would await the runnable's end
            if (patch := asked.result()) is None:
                break
            if not begun and patch.ops[0]["path"]:  # a runnable that calls nobody back, and so begins no log
                yield beginning(config)
            begun = True
            if told := output.thinned(patch.ops):
                yield RunLogPatch(*told)
        if rest := output.rest():
            yield RunLogPatch(*rest)
    finally:
        runnable.stop()
        if asked is not None:
            await asyncio.wait([asked])
        await log.aclose()


def beginning(config: RunnableConfig) -> RunLogPatch:
    """Return the patch that LangChain begins a run's log with."""
    about = {"id": str(config.get("run_id", "")), "name": config.get("run_name", ""), "type": "chain"}
    empty: dict[str, Any] = {"streamed_output": [], "final_output": None, "logs": {}}
    return RunLogPatch({"op": "replace", "path": "", "value": {**about, **empty}})


async def following(log: AsyncGenerator[RunLogPatch]) -> RunLogPatch | None:
    """Return the log's next patch, None at its end."""
    return await anext(log, None)


class GrowingOutput:
    """Leaves patches of the whole output out that a later one replaces."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}  # by path: the size that was told last
        self._held: dict[str, Any] = {}  # by path: what is to be told yet

    def thinned(self, ops: list[Any]) -> list[Any]:
        """Return which of a patch's changes are told now, with those that must come before them."""
        told: list[Any] = []
        for op in ops:
            told += self._due(op) if op["path"].startswith(OUTPUT) else [op]
        return told

    def rest(self) -> list[Any]:
        """Return what is still to be told."""
        held, self._held = [*self._held.values()], {}
        return held

    def _due(self, op: Any) -> list[Any]:
        path = op["path"]
        if op["op"] != "replace" or any(related(path, other) for other in self._held):
            return [*self.rest(), op]  # a change of what the others made
        self._held.pop(path, None)
        size, last = weight(op["value"]), self._told.get(path, 0)
        if SMALL < size <= last + last // GROWTH and size >= last:
            self._held[path] = op
            return []
        self._told[path] = size
        return [op]


def related(path: str, other: str) -> bool:
    """Tell whether one of two different places is inside the other."""
    return path != other and (path.startswith(f"{other}/") or other.startswith(f"{path}/"))
