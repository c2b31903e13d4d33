"""Tools that change something: each of their calls goes through whoever checks it and keeps it on record.

A run may go on for minutes after its caller signed in, and be made again by another process after a crash. To
read a little more is bearable then; to send money once more is not.
"""

import functools
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from inspect import iscoroutinefunction
from typing import Any, ClassVar, cast, overload

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config, run_in_executor
from langchain_core.tools import BaseTool, StructuredTool
from sqlalchemy.ext.asyncio import AsyncConnection

from gatehouse.identity.caller import Caller

MARK = "acts"  # in a tool's metadata

# Given an effect's key and its caller: what the tool would have returned if the effect happened, else None
Check = Callable[[str, Caller], Awaitable[Any]]
Work = Callable[[], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Acts:
    """What a tool that acts says of itself: how it is found out, after a crash, whether it has acted.

    `idempotent`: called again with the same key it does nothing more. `check` asks the other side. With
    `transaction` its effect is a change of the server's own database. `approval` is what a person may decide
    on each call before it is made, such as "approve edit reject"; empty: nobody is asked.
    """

    idempotent: bool = False
    check: Check | None = None
    transaction: bool = False
    approval: str = ""


@dataclass(frozen=True, slots=True)
class Act:
    """A call of a tool that acts, which `work` makes. `call_id` is the model's, empty without one.

    `args` are those that the model gave.
    """

    tool: str
    declared: Acts
    call_id: str
    args: Mapping[str, Any]
    config: RunnableConfig
    work: Work


# Makes the call, or does not: raises MayNotAct, or ToolException with what the model is told
Conduct = Callable[[Act], Awaitable[Any]]


class MayNotAct(Exception):
    """The caller may not act any more, so the run is over: no agent makes a message of it."""


@overload
def acts(tool: BaseTool, /) -> StructuredTool: ...
@overload
def acts(
    *, idempotent: bool = False, check: Check | None = None, transaction: bool = False, approval: str = ""
) -> Callable[[BaseTool], StructuredTool]: ...


def acts(
    tool: BaseTool | None = None,
    /,
    *,
    idempotent: bool = False,
    check: Check | None = None,
    transaction: bool = False,
    approval: str = "",
) -> StructuredTool | Callable[[BaseTool], StructuredTool]:
    """Return the tool, marked as one that changes something; with options, what marks a tool so.

    At most one option says how it is found out whether a call that was cut off has acted, `approval` what a
    person may decide before each call: see Acts. Raises
    TypeError when the tool is of a class of its own, whose calls nothing could check, or an option does not
    fit it.
    """
    declared = Acts(idempotent, check, transaction, approval)
    if tool is not None:
        return marked(tool, declared)
    return functools.partial(marked, declared=declared)


def marked(tool: BaseTool, declared: Acts) -> StructuredTool:
    """Return the tool with what it says of itself. Raises TypeError."""
    if not isinstance(tool, StructuredTool):
        raise TypeError(f"{tool.name}: acts marks tools that are made of a function, as by @tool.")
    if sum((declared.idempotent, declared.check is not None, declared.transaction)) > 1:
        raise TypeError(f"{tool.name}: acts takes one of idempotent, check and transaction.")
    if declared.check is not None and not iscoroutinefunction(declared.check):
        raise TypeError(f"{tool.name}: check is an async function of the effect's key and the caller.")
    if declared.transaction and tool.coroutine is None:
        raise TypeError(f"{tool.name}: a tool that acts in a transaction of the server's is async.")
    copy = tool.model_copy(update={"metadata": {**(tool.metadata or {}), MARK: True}})
    # metadata are sent to tracers and over LangServe's streams: what is declared is no part of them
    says = type("Says", (Acting,), {"declared": declared})
    copy.__class__ = type(type(tool).__name__, (says, type(tool)), {})
    return copy


class Acting:
    """Goes before the class of a tool that acts: its function finds what it is called with in the context."""

    declared: ClassVar[Acts]

    async def arun(self, tool_input: str | dict[str, Any], *arguments: Any, **named: Any) -> Any:
        given = tool_input if isinstance(tool_input, dict) else {"input": tool_input}
        before = call_of_context.set((str(named.get("tool_call_id") or ""), given))
        try:
            return await super().arun(tool_input, *arguments, **named)  # type: ignore[misc]  # the tool's class
        finally:
            call_of_context.reset(before)


# The id and the arguments of the call that a tool is to answer: LangChain hands its function neither
call_of_context: ContextVar[tuple[str, Mapping[str, Any]]] = ContextVar("call_of_context", default=("", {}))


def declared_by(tool: BaseTool) -> Acts | None:
    """Return what a tool that acts says of itself, None for one that only reads."""
    return tool.declared if isinstance(tool, Acting) else None


async def nobody_acts(_act: Act) -> Any:
    """Refuse: what a tool that acts does where nothing can tell whether it may."""
    raise MayNotAct("Nothing here can tell whether the caller may still act.")


def guarded(tool: BaseTool, conduct: Conduct) -> BaseTool:
    """Return a tool whose calls `conduct` makes, if it is marked; else the tool itself.

    It has no synchronous way left by which that could be missed.
    """
    declared = declared_by(tool)
    if declared is None or not isinstance(tool, StructuredTool):
        return tool
    work = tool.coroutine or in_thread(tool)
    shown = frozenset(tool.args)

    @functools.wraps(work)
    async def guarded_work(*arguments: Any, **named: Any) -> Any:
        call_id, given = call_of_context.get()
        args = {name: value for name, value in given.items() if name in shown}
        again = functools.partial(work, *arguments, **named)
        return await conduct(Act(tool.name, declared, call_id, args, ensure_config(), again))

    return tool.model_copy(update={"coroutine": guarded_work, "func": None})


@dataclass(slots=True)
class Transaction:
    """The connection on which a tool is to act, and whether it has asked for it."""

    connection: AsyncConnection
    used: bool = False


transaction_of_context: ContextVar[Transaction | None] = ContextVar("transaction_of_context", default=None)


def transaction_of(_config: RunnableConfig) -> AsyncConnection:
    """Return the connection on which a tool that `acts(transaction=True)` acts, within a transaction.

    It is committed with the record that the tool was called, when the tool returns. It sees the rows of the
    caller's tenant. Raises RuntimeError for any other tool.
    """
    handed = transaction_of_context.get()
    if handed is None:
        raise RuntimeError("Only a tool that is marked with acts(transaction=True) is handed a transaction.")
    handed.used = True
    return handed.connection


def in_thread(tool: StructuredTool) -> Callable[..., Awaitable[Any]]:
    """Return the work of a synchronous tool as a coroutine function with the same signature."""
    work = cast("Callable[..., Any]", tool.func)  # LangChain makes no tool without either

    @functools.wraps(work)
    async def threaded(*arguments: Any, **named: Any) -> Any:
        return await run_in_executor(ensure_config(), functools.partial(work, *arguments, **named))

    return threaded
