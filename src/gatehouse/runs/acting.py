"""How a run's tools act: while its caller may, while this attempt has the run, and each call once."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp
from redis.asyncio import Redis

from gatehouse.identity.caller import caller_of
from gatehouse.ledger.effect import Call
from gatehouse.ledger.ledger import Ledger, Unknown
from gatehouse.problems.errors import CredentialExpired, Unavailable
from gatehouse.problems.stores import STORE_IS_AWAY
from gatehouse.runs.continuing import pending_calls
from gatehouse.runs.credentials import CredentialValid
from gatehouse.runs.events import EffectUnknown
from gatehouse.runs.lifecycle.attempts import lease_key
from gatehouse.runs.lifecycle.execution import Execution, execution_of_context
from gatehouse.runs.records import RunRecord, load
from gatehouse.tools.acting import Act, MayNotAct
from gatehouse.tools.approving import ask

T = TypeVar("T")

AWAY: tuple[type[Exception], ...] = (*STORE_IS_AWAY, OSError)
AWAY_SECONDS = 30.0  # in which Redis or the database may come back before a run is failed for it
LEASE_SECONDS = 10.0  # in which a process that is well has renewed the lease, after Redis was not
LEASE_POLL = 0.1
WAYS_ON = ("happened", "run_again", "give_up")
CHECKPOINTER = "__pregel_checkpointer"  # LangGraph's: where a graph keeps what it waits with


class RunMayNotAct(CredentialExpired, MayNotAct):
    """Ends the run: its agent lets it pass, and the engine tells it to the viewers."""


# Keeps on record that a run's tool, by its name, acts (true) or was kept from it; raises when it cannot
Recorded = Callable[[RunRecord, str, bool], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class BeforeActing:
    """Whether a tool may act now. The run's record says whose credential it is."""

    redis: Redis
    credential_valid: CredentialValid
    recorded: Recorded

    async def __call__(self, tool: str, config: RunnableConfig) -> RunRecord:
        """Return the run when the credential that it was started with still holds, and that is on record.

        Raises RunMayNotAct when it does not, when the run was cancelled, or when this attempt at it is not
        the newest: another process has the run now; Unavailable when none of that can be told for too long;
        and what `recorded` raises: what cannot be put on record is not done.
        """
        run = await self.held(config)
        acts = not run.cancel and await patiently(partial(self.credential_valid, run.principal))
        await self.recorded(run, tool, acts)
        if not acts:
            raise RunMayNotAct
        return run

    async def held(self, config: RunnableConfig) -> RunRecord:
        """Return the run while this attempt at it has its lease: one that has run out is waited for.

        Raises RunMayNotAct when it is another's meanwhile, has ended, or is not renewed in time, and
        Unavailable.
        """
        configurable = config.get("configurable") or {}
        run_id, attempt = configurable.get("run_id"), configurable.get("attempt")
        until = time.monotonic() + LEASE_SECONDS
        while isinstance(run_id, str) and time.monotonic() < until:
            held = await patiently(partial(self.redis.exists, lease_key(run_id)))
            run = await patiently(partial(load, self.redis, run_id))
            if run is None or run.finished or run.attempt != attempt:
                break
            if held:
                return run
            await asyncio.sleep(LEASE_POLL)
        raise RunMayNotAct


async def patiently(asked: Callable[[], Awaitable[T]]) -> T:
    """Return what is answered, which may be asked for more than once: Redis or the database may be away.

    Raises Unavailable when it is for too long.
    """
    until = time.monotonic() + AWAY_SECONDS
    while True:
        try:
            return await asked()
        except AWAY as error:
            if time.monotonic() > until:
                raise Unavailable from error
        await asyncio.sleep(LEASE_POLL)


@dataclass(frozen=True, slots=True)
class ActingOnce:
    """What `gatehouse.tools.building.build_tools` is handed: makes the calls of a run's tools that act."""

    before: BeforeActing
    ledger: Ledger

    async def __call__(self, act: Act) -> Any:
        """Return what the tool returns, or has returned to an earlier attempt.

        What is unknown the run's viewers are told, and a person decides where the run can wait for one.
        Raises what `before` and the ledger raise.
        """
        run = await self.before(act.tool, act.config)
        execution = execution_of_context.get()
        if execution is not None:
            execution.acted = True

        async def still() -> None:
            """Return with the lease in hand: nothing else happens between this and the tool's first step."""
            if execution is None:
                await self.before.held(act.config)
                return
            await execution.settle()
            if execution.stop is not None:
                raise RunMayNotAct

        caller = caller_of(act.config)
        try:
            return await self.ledger.once(act, call_in(run, act), caller, still)
        except Unknown as unknown:
            decision = decision_on(act, unknown, execution)
            return await self.ledger.decided(act, unknown.effect, decision, caller, still)


def decision_on(act: Act, unknown: Unknown, execution: Execution | None) -> Mapping[str, Any]:
    """Return what a person says of an effect that is unknown; until then the run waits.

    Raises `unknown` where no graph keeps what it would wait with, so that the model is told. As often as a
    person has had it called again there are decisions before this, on those calls. When a process is killed
    after an answer was given, LangGraph gives it once more in place of the next: each counts once.
    """
    decisions: dict[str, Mapping[str, Any]] = {}
    try:
        if not (act.config.get("configurable") or {}).get(CHECKPOINTER):
            raise unknown
        while len(decisions) <= unknown.effect.decided:
            answer = ask(
                "effect", act.tool, act.args, WAYS_ON,
                tool_call_id=act.call_id or None, description=unknown.effect.why,
            )  # fmt: skip
            if answer["type"] in WAYS_ON:  # else on whether the call is to be made at all
                decisions.setdefault(answer["id"], answer)
    except (GraphBubbleUp, Unknown):
        if execution is not None:
            execution.emit(EffectUnknown(content=str(unknown), tool=act.tool, call_id=act.call_id))
        raise
    return list(decisions.values())[-1]


def call_in(run: RunRecord, act: Act) -> Call:
    """Return the call as the ledger knows it."""
    return Call(
        tenant_id=run.principal.tenant_id,
        user_id=run.principal.user_id,
        run_id=run.id,
        attempt=run.attempt,
        tool=act.tool,
        args=act.args,
        call_id=act.call_id,
        place=str((act.config.get("configurable") or {}).get("checkpoint_ns") or ""),
        anew=run.attempt > 1 and pending_calls.get() is None,
        again=act.declared.idempotent or act.declared.transaction,
        in_transaction=act.declared.transaction,
        user_name=run.principal.name,
        runnable=run.runnable.removeprefix("/"),
        thread_id=run.thread_id,
    )
