"""Erases threads in which nothing was said for long (GATEHOUSE_THREAD_DAYS), with all that is of them."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.background import soon_and_every
from gatehouse.purging import purging_now_and_then
from gatehouse.runs.conversation.places import state_key
from gatehouse.storage.tenancy import see_as_operator, tenant_transaction
from gatehouse.threads.queries import states_of
from gatehouse.threads.tables import messages, threads

FIRST_AFTER = 300.0  # seconds, at most
EVERY = 3600.0
AT_ONCE = 500  # threads: a short transaction for each tenant

Forget = Callable[[str, Sequence[str]], Awaitable[None]]  # a tenant's states of graphs, by their names


async def nothing_elsewhere(_tenant_id: str, _states: Sequence[str]) -> None:
    """Return: all that there is of a thread of messages is in the database."""


def purging_threads(
    engine: AsyncEngine, days: int | None, forget: Forget = nothing_elsewhere
) -> AbstractAsyncContextManager[None]:
    """Erase threads older than `days` now and then while the context is open; None erases none."""
    if days is None:
        return nullcontext()
    return purging_now_and_then(
        "threads", partial(purge, engine, days, forget), soon_and_every(FIRST_AFTER, EVERY)
    )


async def purge(engine: AsyncEngine, days: int, forget: Forget = nothing_elsewhere) -> int:
    """Erase the threads of all tenants that were not written in for so many days; return how many.

    Their messages, feedback and attachments go with them, by the database's own foreign keys. `forget` is
    told of the states that graphs kept of them.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    erased = 0
    while found := await silent_since(engine, before):
        gone = [await erase(engine, tenant_id, ids, before, forget) for tenant_id, ids in found.items()]
        erased += sum(gone)
        if not any(gone):  # all of them were written in meanwhile
            break
    return erased


async def silent_since(engine: AsyncEngine, before: datetime) -> dict[str, list[str]]:
    """Return some threads in which nothing was said since, the ids by tenant."""
    oldest = select(threads.c.tenant_id, threads.c.id).where(threads.c.updated_at < before)
    by_tenant: defaultdict[str, list[str]] = defaultdict(list)
    async with engine.begin() as connection:
        await see_as_operator(connection)
        for tenant_id, thread_id in await connection.execute(
            oldest.order_by(threads.c.updated_at).limit(AT_ONCE)
        ):
            by_tenant[tenant_id].append(thread_id)
    return dict(by_tenant)


async def erase(
    engine: AsyncEngine,
    tenant_id: str,
    ids: Sequence[str],
    before: datetime,
    forget: Forget = nothing_elsewhere,
) -> int:
    """Erase those of a tenant's threads that are still as old; return how many."""
    silent = delete(threads).where(
        threads.c.tenant_id == tenant_id, threads.c.id.in_(ids), threads.c.updated_at < before
    )
    async with tenant_transaction(engine, tenant_id) as connection:
        states = (await connection.execute(states_of(messages.c.thread_id.in_(ids)))).all()
        gone = set(await connection.scalars(silent.returning(threads.c.id)))
    await forget(tenant_id, [state_key(tenant_id, *row) for row in states if row.thread_id in gone])
    return len(gone)
