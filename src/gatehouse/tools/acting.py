"""Tools that change something: each of their calls is preceded by a check of whoever it is done for.

A run may go on for minutes after its caller signed in. To read on for a few seconds more than the sign-in
lasted is bearable; to send money is not.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, run_in_executor
from langchain_core.tools import BaseTool, StructuredTool

MARK = "acts"  # in a tool's metadata

# Given a tool's name; raises MayNotAct when whoever a run is for may not change anything now
BeforeActing = Callable[[str, RunnableConfig], Awaitable[None]]


class MayNotAct(Exception):
    """The caller may not act any more, so the run is over: no agent makes a message of it."""


def acts(tool: BaseTool) -> StructuredTool:
    """Return the tool, marked as one that changes something.

    Raises TypeError when it is of a class of its own, whose calls nothing could check.
    """
    if not isinstance(tool, StructuredTool):
        raise TypeError(f"{tool.name}: acts marks tools that are made of a function, as by @tool.")
    return tool.model_copy(update={"metadata": {**(tool.metadata or {}), MARK: True}})


async def nobody_acts(_tool: str, _config: RunnableConfig) -> None:
    """Refuse: what a tool that acts does where nothing can tell whether it may."""
    raise MayNotAct("Nothing here can tell whether the caller may still act.")


def guarded(tool: BaseTool, before_acting: BeforeActing) -> BaseTool:
    """Return a tool that awaits `before_acting` before each call, if it is marked; else the tool itself.

    It has no synchronous way left by which the check could be missed.
    """
    if not isinstance(tool, StructuredTool) or not (tool.metadata or {}).get(MARK):
        return tool
    work = tool.coroutine or in_thread(tool)

    @functools.wraps(work)
    async def checked(*arguments: Any, **named: Any) -> Any:
        await before_acting(tool.name, ensure_config())
        return await work(*arguments, **named)

    return tool.model_copy(update={"coroutine": checked, "func": None})


def in_thread(tool: StructuredTool) -> Callable[..., Awaitable[Any]]:
    """Return the work of a synchronous tool as a coroutine function with the same signature."""
    work = cast("Callable[..., Any]", tool.func)  # LangChain makes no tool without either

    @functools.wraps(work)
    async def threaded(*arguments: Any, **named: Any) -> Any:
        return await run_in_executor(ensure_config(), functools.partial(work, *arguments, **named))

    return threaded
