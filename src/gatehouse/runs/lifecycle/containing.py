"""Keeps in a run what its runnable raises, where asyncio would end the event loop and the process with it.

A task that raises SystemExit or KeyboardInterrupt raises it out of the event loop too, and GeneratorExit is
taken for the end of whatever generator it passes. argparse, pytest and a `sys.exit` in a tool raise them.
"""

import asyncio
from collections.abc import Coroutine, Generator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import Any

ENDS = (SystemExit, KeyboardInterrupt, GeneratorExit)

inside_run: ContextVar[bool] = ContextVar("inside_run", default=False)


class RunnableExited(RuntimeError):
    """The runnable raised what ends a process; its cause says what that was."""


class ContainedTask(Coroutine[Any, Any, Any]):
    """A coroutine out of which nothing comes that ends the event loop."""

    __slots__ = ("_coroutine",)

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine

    def send(self, value: Any) -> Any:
        try:
            return self._coroutine.send(value)
        except ENDS as error:
            raise RunnableExited(type(error).__name__) from error

    def throw(self, *thrown: Any) -> Any:
        try:
            return self._coroutine.throw(*thrown)
        except ENDS as error:
            raise RunnableExited(type(error).__name__) from error

    def close(self) -> None:
        self._coroutine.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coroutine.__await__()


@contextmanager
def containing(loop: asyncio.AbstractEventLoop) -> Generator[None]:
    """Have the tasks that are made inside of runs contained, by whatever library."""
    before = loop.get_task_factory()

    def made(
        loop: asyncio.AbstractEventLoop, coroutine: Any, *, context: Context | None = None, **options: Any
    ) -> asyncio.Future[Any]:
        inside = inside_run.get() if context is None else context.get(inside_run, False)
        if inside and asyncio.iscoroutine(coroutine):
            coroutine = ContainedTask(coroutine)
        if context is not None:
            options["context"] = context
        return (
            asyncio.Task(coroutine, loop=loop, **options)
            if before is None
            else before(loop, coroutine, **options)
        )

    loop.set_task_factory(made)
    try:
        yield
    finally:
        if loop.get_task_factory() is made:
            loop.set_task_factory(before)
