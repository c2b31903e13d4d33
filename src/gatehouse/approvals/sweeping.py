"""Goes on with runs that may: at once in the process that decides, else at whichever replica looks first."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from redis.exceptions import RedisError
from sqlalchemy import Row, and_, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from gatehouse.approvals.rows import of_run
from gatehouse.approvals.service import Approvals
from gatehouse.approvals.tables import waiting_runs
from gatehouse.background import about, again_and_again, in_background
from gatehouse.identity.principal import Principal
from gatehouse.runs.engine import RunEngine
from gatehouse.runs.records import load, of_kept_fields, principal_of
from gatehouse.runs.waits import WaitingRun
from gatehouse.storage.database_time import time_of
from gatehouse.storage.tenancy import see_as_operator, tenant_transaction
from gatehouse.threads.tables import messages

log = structlog.get_logger(__name__)

PAUSE = 2.0  # seconds between two looks
AT_ONCE = 100
RESTORED = "gh:runs:waiting"  # in a Redis that knows what waits: not in one that has lost its data
GONE_SECONDS = 30.0  # after which it is looked whether a run that went on is still known

# Tells whether a credential was taken back since it was used; raises where it cannot be told
NotRevoked = Callable[[Principal], Awaitable[bool]]


@asynccontextmanager
async def continuing(approvals: Approvals, runs: RunEngine, not_revoked: NotRevoked) -> AsyncIterator[None]:
    """Go on with what is decided, cancelled or expired while the context is open."""
    sweep = Sweep(approvals, runs, not_revoked)
    approvals.kick = sweep.kick
    away = (SQLAlchemyError, RedisError, OSError)
    looking = again_and_again(sweep.look, about(PAUSE), "waiting runs cannot be looked after", away)
    async with in_background(approvals_sweep=looking):
        yield


class Sweep:
    """Finds the runs that may go on, of all tenants."""

    def __init__(self, approvals: Approvals, runs: RunEngine, not_revoked: NotRevoked) -> None:
        self._approvals = approvals
        self._engine = approvals.engine
        self._runs = runs
        self._not_revoked = not_revoked

    async def kick(self, tenant_id: str, run_id: str) -> None:
        """Go on with a run if it is due. Never raises: the next look finds it too."""
        try:
            await self.go_on(tenant_id, run_id)
        except (SQLAlchemyError, RedisError, OSError) as error:
            log.warning("a run that may go on waits", run_id=run_id, error=type(error).__name__)
        except Exception:
            log.exception("a run does not go on", run_id=run_id)

    async def look(self) -> None:
        """Go on with what is due, and end what nobody decided in time."""
        await self.restore_what_is_lost()
        for row in await self._found():
            if row.state == "waiting":
                await self._approvals.end(row.tenant_id, row.run_id, "expired")
            elif row.state == "due":
                await self.kick(row.tenant_id, row.run_id)
            else:
                await self._look_after(row)

    async def restore_what_is_lost(self) -> None:
        """Bring back what waits when Redis has lost its data, so that threads are not free that are not."""
        redis = self._runs.redis
        if await redis.exists(RESTORED):
            return
        last = ""
        while some := await self._waiting_after(last):
            for row in some:
                seconds = (row.expires_at - datetime.now(UTC)).total_seconds()
                await self._runs.continuing.restore(of_kept_fields(row.record), row.attempt, max(0, seconds))
            last = some[-1].run_id
        await redis.set(RESTORED, 1)

    async def go_on(self, tenant_id: str, run_id: str) -> None:
        """Go on with a run that is due; one that does not wait any more is left alone."""
        this = of_run(waiting_runs, tenant_id, run_id)
        async with tenant_transaction(self._engine, tenant_id) as connection:
            query = select(waiting_runs).where(this, waiting_runs.c.how != "")
            row = (await connection.execute(query)).one_or_none()
        if row is None or not await self._runs.continuing.go_on(await self._waiting(row)):
            return
        gone = {"state": "gone", "changed_at": datetime.now(UTC)}
        same = and_(this, waiting_runs.c.attempt == row.attempt, waiting_runs.c.state == row.state)
        async with tenant_transaction(self._engine, tenant_id) as connection:
            await connection.execute(update(waiting_runs).where(same).values(gone))

    async def _waiting(self, row: Row[Any]) -> WaitingRun:
        run, decider, how = of_kept_fields(row.record), row.decider, row.how
        if how == "decided" and not await self._not_revoked(run.principal):
            how = "revoked"
        return WaitingRun(run, row.attempt, how, principal_of(decider) if decider else None)

    async def _look_after(self, row: Row[Any]) -> None:
        """Forget a run that has ended; one that Redis has lost, or has as it waited, goes on once more."""
        run = await load(self._runs.redis, row.run_id)
        ended = run.finished if run else await self._has_answered(row)
        if not ended and (run is None or (run.state == "waiting" and run.attempt <= row.attempt)):
            await self.kick(row.tenant_id, row.run_id)
        elif ended:
            await self._approvals.forget(row.tenant_id, row.run_id)

    async def _has_answered(self, row: Row[Any]) -> bool:
        """Tell whether a run that Redis does not know has ended long ago: its thread has the answer."""
        answer = and_(messages.c.tenant_id == row.tenant_id, messages.c.run_id == row.run_id)
        query = select(messages.c.id).where(answer, messages.c.role == "ai").limit(1)
        async with tenant_transaction(self._engine, row.tenant_id) as connection:
            return (await connection.execute(query)).first() is not None

    async def _waiting_after(self, last: str) -> list[Row[Any]]:
        table = waiting_runs.c
        query = select(table.run_id, table.attempt, table.record, table.expires_at)
        query = query.where(table.state == "waiting", table.run_id > last).order_by(table.run_id)
        async with self._engine.begin() as connection:
            await see_as_operator(connection)
            return list(await connection.execute(query.limit(AT_ONCE)))

    async def _found(self) -> list[Row[Any]]:
        table = waiting_runs.c
        query = select(table.tenant_id, table.run_id, table.attempt, table.state)
        query = query.order_by(table.changed_at).limit(AT_ONCE)
        async with self._engine.begin() as connection:
            await see_as_operator(connection)
            now = await time_of(connection)
            gone = and_(table.state == "gone", table.changed_at < now - timedelta(seconds=GONE_SECONDS))
            late = and_(table.state == "waiting", table.expires_at <= now)
            return list(await connection.execute(query.where(or_(table.state == "due", late, gone))))
