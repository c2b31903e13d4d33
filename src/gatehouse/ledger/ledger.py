"""Makes the calls of tools that act: each is begun once in a run, or not without a person's word.

What was done is not done again: the tool's result comes from the record. What was begun, and nobody knows how
far it came, is unknown: `Acts` says how a tool can be asked, and one that cannot be asked is left alone.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Literal, Protocol, TypeVar

import structlog
from langchain_core.tools import ToolException
from langgraph.errors import GraphBubbleUp
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from gatehouse.identity.caller import Caller, effect_key_of_context
from gatehouse.ledger.effect import Call, Effect
from gatehouse.ledger.store import EffectStore
from gatehouse.plain_json import json_text
from gatehouse.tools.acting import Act, Check, MayNotAct, Transaction, transaction_of_context

T = TypeVar("T")

log = structlog.get_logger(__name__)

TRIES, PAUSE = 6, 0.5  # of a database that does not answer, and seconds between two
KEEP_SECONDS = 5.0  # in which the record of what was cut off is written

NOT_KEPT = "It was done before. What it returned could not be kept."
HAPPENED = "A person has found out that it was done."
GIVEN_UP = "A person has given it up: take it that it was not done, and do not call it again for this."
IN_HAND = "This very call is being made already. Wait for its result."
STOPPED = "it was stopped while it was at work"

Settled = Literal["done", "failed", "unknown"]
Outcome = Literal["done", "failed", "unknown", "kept"]  # kept: it was done before, and is not repeated
Still = Callable[[], Awaitable[None]]  # raises MayNotAct when the run is another's by now


class Codec(Protocol):
    """What writes what tools return, and reads it: LangGraph's serializers do."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]: ...

    def loads_typed(self, data: tuple[str, bytes]) -> Any: ...


class Unknown(ToolException):
    """It is unknown whether an effect has happened; the text is for the model."""

    def __init__(self, effect: Effect) -> None:
        super().__init__(
            f"It is unknown whether {effect.tool} has acted: {effect.error}. A person must look at it. Do "
            "not call it again for this, and say neither that it was done nor that it was not."
        )
        self.effect = effect


class Ledger:
    """The ledger of one process. `heard` is told of each call its tool, and what came of it."""

    def __init__(self, store: EffectStore, codec: Codec, heard: Callable[[str, Outcome], None]) -> None:
        self._store = store
        self._codec = codec
        self._heard = heard

    async def once(self, act: Act, call: Call, caller: Caller, still: Still) -> Any:
        """Return what the tool returns, or has returned before.

        `still` is asked when the claim took long. Raises what the tool raises; Unknown; ToolException for
        what has failed before; MayNotAct.
        """
        effect = await self._claimed(call)
        if effect.fresh:
            return await self._begun(act, effect, caller, still)
        if effect.status == "unknown" and (check := act.declared.check) is not None:
            return await self._checked(act, check, effect, caller, still)
        if effect.status == "unknown":
            self._heard(effect.tool, "unknown")
            raise Unknown(effect)
        if effect.status == "done":
            self._heard(effect.tool, "kept")
            return self._kept(effect)
        raise ToolException(effect.error if effect.status == "failed" else IN_HAND)

    async def _claimed(self, call: Call) -> Effect:
        """Claim the call. One that another attempt is at in a transaction is waited for."""
        return await tried(lambda: self._store.claim(call))

    async def _begun(self, act: Act, effect: Effect, caller: Caller, still: Still) -> Any:
        try:
            await still()
        except BaseException:
            await self._in_any_case(self._store.withdraw(effect))
            raise
        if act.declared.transaction:
            return await self._within(act, effect)
        try:
            result = await worked(act, effect)
        except GraphBubbleUp:  # it asks a person before it acts, and is called again
            await self._store.withdraw(effect)
            raise
        except ToolException as error:
            await self._in_any_case(self._settle(effect, "failed", str(error)))
            raise
        except BaseException as error:
            return await self._cut_off(act, effect, caller, error)
        await self._done(effect, result)
        return result

    async def _cut_off(self, act: Act, effect: Effect, caller: Caller, error: BaseException) -> Any:
        """Keep on record that nobody knows how far the tool came when this was raised."""
        if act.declared.check is not None and isinstance(error, Exception):
            happened = await self._asked(act.declared.check, effect, caller)
            if happened is not None:
                await self._done(effect, happened)
                return happened
            await self._settle(effect, "failed", f"{effect.tool} has failed")
            raise error
        why = f"it has failed with {type(error).__name__}" if isinstance(error, Exception) else STOPPED
        await self._in_any_case(self._settle(effect, "unknown", why))
        if isinstance(error, MayNotAct) or not isinstance(error, Exception):
            raise error
        log.error("a tool may have acted", tool=effect.tool, effect=effect.key, exc_info=error)
        raise Unknown(replace(effect, status="unknown", error=why)) from error

    async def _checked(self, act: Act, check: Check, effect: Effect, caller: Caller, still: Still) -> Any:
        """Ask the other side whether the effect has happened; make it if not."""
        happened = await self._asked(check, effect, caller)
        if happened is not None:
            await self._done(effect, happened)
            return happened
        if not await self._store.again(effect):
            raise Unknown(effect)
        return await self._begun(act, effect, caller, still)

    async def decided(
        self, act: Act, effect: Effect, decision: Mapping[str, Any], caller: Caller, still: Still
    ) -> Any:
        """Do what a person says of an effect that is unknown: it happened, it is to be made, or given up.

        Returns and raises what `once` does.
        """
        if decision["type"] == "happened":
            result = decision.get("result") or HAPPENED
            told = result if isinstance(result, str) else json_text(result)
            await self._done(effect, told)
            return told
        if decision["type"] == "run_again":
            if not await self._store.again(effect, by_a_person=True):
                raise Unknown(effect)
            return await self._begun(act, effect, caller, still)
        await self._in_any_case(self._settle(effect, "failed", GIVEN_UP))
        raise ToolException(GIVEN_UP)

    async def _asked(self, check: Check, effect: Effect, caller: Caller) -> Any:
        """Return what the other side says of the effect. Raises Unknown when it does not say anything."""
        try:
            return await check(effect.key, caller)
        except Exception as error:
            why = f"whoever was asked about it has failed with {type(error).__name__}"
            log.exception("an effect cannot be asked about", tool=effect.tool, effect=effect.key)
            await self._in_any_case(self._settle(effect, "unknown", why))
            raise Unknown(replace(effect, status="unknown", error=why)) from error

    async def _within(self, act: Act, effect: Effect) -> Any:
        """Make the call and keep its result in one transaction: both are there, or neither is."""
        result = nothing = object()
        try:
            async with self._store.transaction(effect) as connection:
                result = await worked_within(act, effect, connection)
                await self._store.settle_within(connection, effect, "done", result=self._written(result))
        except (GraphBubbleUp, MayNotAct):
            await self._store.withdraw(effect)
            raise
        except Exception as error:
            if result is not nothing and await self._committed(effect):
                return result
            said = str(error) if isinstance(error, ToolException) else f"{effect.tool} has failed"
            await self._in_any_case(self._settle(effect, "failed", said))
            raise
        self._heard(effect.tool, "done")
        return result

    async def _committed(self, effect: Effect) -> bool:
        """Tell whether a transaction whose end was not heard of has come through."""
        row = await self._store.read(effect)
        return row is not None and row.status == "done"

    async def _done(self, effect: Effect, result: Any) -> None:
        """Keep the result. That the effect has happened is true also where that cannot be kept."""
        await self._in_any_case(self._settle(effect, "done", result=self._written(result)))

    async def _settle(
        self, effect: Effect, status: Settled, error: str = "", result: tuple[str, bytes] | None = None
    ) -> None:
        self._heard(effect.tool, status)
        await tried(lambda: self._store.settle(effect, status, error, result))

    async def _in_any_case(self, keeping: Awaitable[None]) -> None:
        """Write a record, also for a run that is stopped meanwhile; what cannot be written is logged."""
        writing = asyncio.ensure_future(keeping)
        try:
            async with asyncio.timeout(KEEP_SECONDS):
                await asyncio.shield(writing)
        except asyncio.CancelledError:
            await asyncio.wait([writing], timeout=KEEP_SECONDS)
            raise
        except (DBAPIError, OSError) as error:  # TimeoutError is an OSError
            log.error("the ledger cannot be written", error=type(error).__name__)  # noqa: TRY400  # one line

    def _written(self, result: Any) -> tuple[str, bytes] | None:
        try:
            return self._codec.dumps_typed(result)
        except Exception:  # whatever an object of somebody's raises when it is looked into
            log.warning("what a tool returned cannot be kept", type=type(result).__name__)
            return None

    def _kept(self, effect: Effect) -> Any:
        if effect.result is None:
            raise ToolException(NOT_KEPT)
        return self._codec.loads_typed(effect.result)


async def tried(call: Callable[[], Awaitable[T]]) -> T:
    """Return what a call of the database returns, which may be away for a moment. Raises DBAPIError."""
    for _ in range(TRIES - 1):
        with suppress(DBAPIError):
            return await call()
        await asyncio.sleep(PAUSE)
    return await call()


async def worked(act: Act, effect: Effect) -> Any:
    """Let the tool work; `caller_of` has the effect's key for it."""
    before = effect_key_of_context.set(effect.key)
    try:
        return await act.work()
    finally:
        effect_key_of_context.reset(before)


async def worked_within(act: Act, effect: Effect, connection: AsyncConnection) -> Any:
    """Let the tool work on a connection. Raises TypeError when it has not asked for it: it acts elsewhere."""
    handed = Transaction(connection)
    before = transaction_of_context.set(handed)
    try:
        result = await worked(act, effect)
    finally:
        transaction_of_context.reset(before)
    if not handed.used:
        raise TypeError(f"{act.tool} acts(transaction=True), and has not acted on transaction_of(config)")
    return result
