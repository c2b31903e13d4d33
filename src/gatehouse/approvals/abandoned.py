"""Asks people about calls that were begun in runs that nobody holds any more, as when Redis was lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog
from redis.exceptions import RedisError
from sqlalchemy import and_, select, tuple_
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.approvals.service import Approvals
from gatehouse.approvals.tables import approvals
from gatehouse.background import about, again_and_again, in_background
from gatehouse.ledger.table import effects
from gatehouse.runs.lifecycle.attempts import Attempts
from gatehouse.runs.records import load
from gatehouse.runs.waits import Waits
from gatehouse.storage.database_time import time_of
from gatehouse.storage.tenancy import see_as_operator

log = structlog.get_logger(__name__)

EVERY = 30.0  # seconds, about
UNDER_WAY = timedelta(minutes=1)  # a call that began later is left to its process
LONG_AGO = timedelta(days=1)  # what is older was found, and asked about, when it was not
AT_ONCE = 100

Run = tuple[str, str]  # its tenant and its id


@asynccontextmanager
async def asking_about_abandoned(asked: Approvals, waits: Waits, attempts: Attempts) -> AsyncIterator[None]:
    """Ask about calls of runs that nobody holds any more, while the context is open."""
    search = Search(asked, waits, attempts)
    away = (SQLAlchemyError, RedisError, OSError)
    looking = again_and_again(search.look, about(EVERY), "abandoned calls cannot be looked for", away)
    async with in_background(abandoned_calls=looking):
        yield


class Search:
    """Looks through the claims of all tenants.

    A process that is alive after all, and settles such a call later, is believed: what is certain replaces
    what is unknown.
    """

    def __init__(self, asked: Approvals, waits: Waits, attempts: Attempts) -> None:
        self._approvals = asked
        self._waits = waits
        self._attempts = attempts

    async def look(self) -> None:
        """Ask about each call that is claimed or unknown, and whose run has no attempt that would find that.

        What was found out since it was asked need not be said any more.
        """
        await self._close_found_out()
        last: Run = ("", "")
        while some := await open_after(self._approvals.engine, last):
            for tenant_id, run_id in some:
                if await self._is_over(tenant_id, run_id):
                    asked = await self._waits.ask_what_is_left(tenant_id, run_id)
                    for unknown in asked:
                        log.error("a lost run may have acted", run_id=run_id, tool=unknown.tool)
            last = some[-1]

    async def _close_found_out(self) -> None:
        open_ones = select(approvals.c.tenant_id).where(approvals.c.status == "pending")
        query = open_ones.where(approvals.c.form == "ended").distinct()
        async with self._approvals.engine.begin() as connection:
            await see_as_operator(connection)
            tenants = list(await connection.scalars(query))
        for tenant_id in tenants:
            await self._approvals.close_found_out(tenant_id)

    async def _is_over(self, tenant_id: str, run_id: str) -> bool:
        """Tell whether no attempt at a run follows: it has ended, or is lost and nothing restores it."""
        if await self._attempts.owner_of(run_id):
            return False
        run = await load(self._attempts.redis, run_id)
        return run.finished if run else not await self._approvals.waits(tenant_id, run_id)


async def open_after(engine: AsyncEngine, last: Run) -> list[Run]:
    """Return the next runs after this one, in order, of whose calls some are open for a while."""
    whose = (effects.c.tenant_id, effects.c.run_id)
    async with engine.begin() as connection:
        await see_as_operator(connection)
        now = await time_of(connection)
        still = and_(
            effects.c.status.in_(("claimed", "unknown")),
            effects.c.claimed_at.between(now - LONG_AGO, now - UNDER_WAY),
        )
        query = select(*whose).where(still, tuple_(*whose) > last).distinct().order_by(*whose)
        return [(row.tenant_id, row.run_id) for row in await connection.execute(query.limit(AT_ONCE))]
