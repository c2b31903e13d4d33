"""The ledger in the database: what is claimed by one attempt is no other's to do."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import and_, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.ledger.effect import Call, Effect, Status, bounded
from gatehouse.ledger.matching import Matched, earlier_of
from gatehouse.ledger.table import effects
from gatehouse.plain_json import named, plain
from gatehouse.storage.database_time import time_of
from gatehouse.storage.digest import digest_of
from gatehouse.storage.tenancy import see_tenant, tenant_transaction
from gatehouse.tools.acting import MayNotAct

LONGEST_NAME = 255
NOT_BEGUN = "the process that had called it says that it never began"
CUT_OFF = "the process that called it was gone before it had returned"


class EffectStore:
    """The rows of the ledger, as the attempts of runs claim and settle them."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine

    async def claim(self, call: Call) -> Effect:
        """Return what is on record of the call, claimed by its attempt when nothing was.

        What another attempt has claimed and not settled is claimed anew where the tool can be called `again`,
        and unknown from now on where it cannot. Raises MayNotAct when a later attempt has called a tool.
        """
        async with tenant_transaction(self.engine, call.tenant_id) as connection:
            await lock(connection, f"effects {call.run_id}")
            while True:
                of_run = [effect_of(row) for row in await connection.execute(rows_of(call))]
                if any(effect.attempt > call.attempt for effect in of_run):
                    raise MayNotAct("Another attempt at this run calls its tools.")
                matched = earlier_of(call, of_run)
                if matched.effect is None:
                    return await self._insert(connection, call, matched)
                if (seen := await self._seen(connection, call, matched.effect)) is not None:
                    return seen

    async def _insert(self, connection: AsyncConnection, call: Call, matched: Matched) -> Effect:
        """Enter a call that nobody has made yet: it is unknown where an earlier one may have been it."""
        call_id = call.id or f"{bounded(call.place)}#{uuid4()}"
        status: Status = "unknown" if matched.doubt else "claimed"
        effect = Effect(
            call.run_id, call_id, call.digest, call.tenant_id, call.tool,
            digest_of(call.run_id, call_id, call.digest), status, call.attempt,
            error=matched.doubt,
            same_as=matched.same_as, fresh=status == "claimed", first=True,
        )  # fmt: skip
        values = {
            "run_id": effect.run_id, "call_id": call_id, "digest": effect.digest,
            "tenant_id": call.tenant_id, "user_id": call.user_id, "user_name": call.user_name[:LONGEST_NAME],
            "runnable": call.runnable, "thread_id": call.thread_id, "tool": call.tool,
            "args": plain(dict(call.args), named), "in_transaction": call.in_transaction, "key": effect.key,
            "status": status, "attempt": call.attempt, "decided": 0, "error": effect.error or None,
            "same_as": effect.same_as or None, "claimed_at": await time_of(connection),
        }  # fmt: skip
        await connection.execute(insert(effects).values(values))
        return effect

    async def _seen(self, connection: AsyncConnection, call: Call, found: Effect) -> Effect | None:
        """Return a row that an earlier call has made, as this attempt finds it.

        None when it has changed since it was read: who held it in a transaction of the tool's has settled it.
        """
        if found.attempt == call.attempt and found.status != "unknown":
            return found
        changes: dict[str, Any] = {"attempt": call.attempt, "in_transaction": call.in_transaction}
        fresh = False
        if found.status in ("claimed", "unknown"):
            fresh = call.again
            changes["status"] = "claimed" if fresh else "unknown"
            changes["error"] = None if fresh else found.error or CUT_OFF
        as_found = and_(is_row(found), effects.c.attempt == found.attempt, effects.c.status == found.status)
        if not (await connection.execute(update(effects).where(as_found).values(changes))).rowcount:
            return None
        return replace(
            found, attempt=call.attempt, fresh=fresh, status=changes.get("status", found.status),
            error=changes.get("error", found.error) or "",
        )  # fmt: skip

    async def settle(
        self, effect: Effect, status: Status, error: str = "", result: tuple[str, bytes] | None = None
    ) -> None:
        """Keep what came of a call that this attempt has claimed; a later attempt's is left alone."""
        async with tenant_transaction(self.engine, effect.tenant_id) as connection:
            await self.settle_within(connection, effect, status, error, result)

    async def settle_within(
        self,
        connection: AsyncConnection,
        effect: Effect,
        status: Status,
        error: str = "",
        result: tuple[str, bytes] | None = None,
    ) -> None:
        """Do so in a transaction of the effect's tenant.

        What is certain replaces what is unknown, whichever attempt has found that out.
        """
        mine = effects.c.attempt == effect.attempt
        certain = effects.c.status == "unknown" if status in ("done", "failed") else mine
        kept = {"result_type": result[0], "result": result[1]} if result else {}
        values = {"status": status, "error": error or None, "settled_at": datetime.now(UTC), **kept}
        await connection.execute(update(effects).where(is_row(effect), mine | certain).values(values))

    async def withdraw(self, effect: Effect) -> None:
        """Take back the claim of a call that this attempt never began.

        Where another attempt has found it since, it is told so.
        """
        mine = and_(is_row(effect), effects.c.attempt == effect.attempt, effects.c.status == "claimed")
        async with tenant_transaction(self.engine, effect.tenant_id) as connection:
            if not effect.first:
                await connection.execute(update(effects).where(mine).values(status="unknown", error=CUT_OFF))
            elif not (await connection.execute(delete(effects).where(mine))).rowcount:
                found = and_(is_row(effect), effects.c.status == "unknown")
                await connection.execute(update(effects).where(found).values(error=NOT_BEGUN))

    async def again(self, effect: Effect, by_a_person: bool = False) -> bool:
        """Claim anew what this attempt has found unknown; False when that has changed meanwhile."""
        counted = {"decided": effects.c.decided + 1} if by_a_person else {}
        found = and_(is_row(effect), effects.c.attempt == effect.attempt, effects.c.status == "unknown")
        async with tenant_transaction(self.engine, effect.tenant_id) as connection:
            claimed = update(effects).where(found).values(status="claimed", error=None, **counted)
            return bool((await connection.execute(claimed)).rowcount)

    async def read(self, effect: Effect) -> Effect | None:
        """Return the row as it is now."""
        async with tenant_transaction(self.engine, effect.tenant_id) as connection:
            row = (await connection.execute(select(effects).where(is_row(effect)))).one_or_none()
        return None if row is None else effect_of(row)

    @asynccontextmanager
    async def transaction(self, effect: Effect) -> AsyncIterator[AsyncConnection]:
        """Yield a connection in a transaction in which the effect's claim is held against every other.

        Raises MayNotAct when it is another attempt's by now.
        """
        mine = and_(is_row(effect), effects.c.attempt == effect.attempt, effects.c.status == "claimed")
        async with self.engine.begin() as connection:
            await begin_writing(connection)
            await see_tenant(connection, effect.tenant_id)
            if (
                await connection.execute(select(effects.c.key).where(mine).with_for_update())
            ).first() is None:
                raise MayNotAct("Another attempt at this run has this call now.")
            yield connection


async def lock(connection: AsyncConnection, name: str) -> None:
    """Have the rest of the transaction alone among those that lock this name."""
    await begin_writing(connection)
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(name, 0))))


async def begin_writing(connection: AsyncConnection) -> None:
    """Let nobody write between what a transaction reads and what it writes: SQLite has one lock for all."""
    if connection.dialect.name == "sqlite":
        await connection.exec_driver_sql("BEGIN IMMEDIATE")


def rows_of(call: Call) -> Any:
    """Return the query for the rows of a run, in the order in which they were claimed."""
    mine = and_(effects.c.run_id == call.run_id, effects.c.tenant_id == call.tenant_id)
    return select(effects).where(mine).order_by(effects.c.claimed_at, effects.c.call_id)


def is_row(effect: Effect) -> Any:
    return and_(
        effects.c.run_id == effect.run_id,
        effects.c.call_id == effect.call_id,
        effects.c.digest == effect.digest,
        effects.c.tenant_id == effect.tenant_id,
    )


def effect_of(row: Any) -> Effect:
    """Return the effect that a row tells of."""
    result = None if row.result is None else (row.result_type, row.result)
    return Effect(
        row.run_id, row.call_id, row.digest, row.tenant_id, row.tool, row.key, row.status, row.attempt,
        row.decided, result, row.error or "", row.same_as or "",
    )  # fmt: skip
