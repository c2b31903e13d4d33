"""Erases a user: everything that Gatehouse keeps of one, by one call.

What stays: the tenant's books of usage, without the user; the audit log, which nobody changes for 30 days
(docs/security.md). A deployment's own tables are its own to erase.
"""

from dataclasses import dataclass

from pydantic import BaseModel, Field
from redis.asyncio import Redis
from sqlalchemy import Table, and_, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.approvals.tables import approvals, waiting_runs
from gatehouse.attachments.tables import attachments
from gatehouse.auth.api_keys.tables import api_keys
from gatehouse.auth.browser.sessions import Sessions
from gatehouse.ledger.table import effects
from gatehouse.runs.answer_cache import forget_answers
from gatehouse.runs.conversation.places import state_key
from gatehouse.runs.engine import RunEngine
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.store.table import store_items
from gatehouse.threads.queries import states_of
from gatehouse.threads.tables import messages, threads
from gatehouse.usage.bookkeeping import Bookkeeper
from gatehouse.usage.feedback_table import feedback
from gatehouse.usage.store import UsageStore
from gatehouse.usage.tables import usage
from gatehouse.webhooks.table import webhooks

NOBODY = ""  # in the books, in place of a user who was erased: no user's id is empty


class Erased(BaseModel):
    """How much of a user was erased."""

    api_keys: int = Field(examples=[1])
    sessions: int = Field(examples=[2])
    runs: int = Field(description="that could still be read", examples=[1])
    threads: int = Field(examples=[12])
    messages: int = Field(examples=[80])
    attachments: int = Field(examples=[3])
    approvals: int = Field(description="that the user's runs asked", examples=[2])
    feedback: int = Field(examples=[4])
    effects: int = Field(description="rows of the ledger of what tools did", examples=[2])
    store_items: int = Field(description="what runnables remembered of the user", examples=[3])
    usage: int = Field(description="rows of the tenant's books that name nobody from now on", examples=[40])


@dataclass(frozen=True, slots=True)
class Eraser:
    """Erases users of one deployment."""

    engine: AsyncEngine
    redis: Redis
    sessions: Sessions
    runs: RunEngine

    async def erase(self, tenant_id: str, user_id: str) -> Erased:
        """Erase a user of a tenant. What goes on is stopped; one of whom nothing is known is erased too.

        To do so again erases what came in between, as by a token that still holds.
        """
        keys = await self._rows(tenant_id, user_id, api_keys)  # first, so that nothing begins any more
        ended = await self.sessions.end_all_of(tenant_id, user_id)
        run_ids = await self.runs.runs_of(tenant_id, user_id)
        await self.runs.erase(run_ids, tenant_id, await self._states(tenant_id, user_id))
        await forget_answers(self.redis, tenant_id, user_id)
        await self._enter_accounts()
        counts = await erase_all_rows(self.engine, tenant_id, user_id)
        return Erased(api_keys=keys, sessions=ended, runs=len(run_ids), **counts)

    async def _rows(self, tenant_id: str, user_id: str, table: Table) -> int:
        async with tenant_transaction(self.engine, tenant_id) as connection:
            return await erase_rows(connection, table, tenant_id, user_id)

    async def _states(self, tenant_id: str, user_id: str) -> list[str]:
        """Return the names under which graphs may have kept states of the user's threads."""
        mine = and_(messages.c.tenant_id == tenant_id, messages.c.user_id == user_id)
        async with tenant_transaction(self.engine, tenant_id) as connection:
            rows = (await connection.execute(states_of(mine))).all()
        return [state_key(tenant_id, *row) for row in rows]

    async def _enter_accounts(self) -> None:
        """Enter in the books what waits in Redis: it would name the user when it comes later."""
        bookkeeper = Bookkeeper(self.redis, UsageStore(self.engine), self.runs.owner)
        while await bookkeeper.enter_some():
            pass


async def erase_all_rows(engine: AsyncEngine, tenant_id: str, user_id: str) -> dict[str, int]:
    """Delete what is kept of a user in one transaction, but for keys; return how many rows of each table."""
    mine = and_(threads.c.tenant_id == tenant_id, threads.c.user_id == user_id)
    async with tenant_transaction(engine, tenant_id) as connection:
        if connection.dialect.name == "postgresql":  # first, as whoever locks what belongs to a thread
            await connection.execute(select(threads.c.id).where(mine).with_for_update())
        counts = {
            table.name: await erase_rows(connection, table, tenant_id, user_id)
            for table in (feedback, attachments, approvals, messages, threads, effects, store_items)
        }
        for told in (waiting_runs, webhooks):
            await erase_rows(connection, told, tenant_id, user_id)
        counts["usage"] = await make_nobodys(connection, tenant_id, user_id)
    return counts


async def erase_rows(connection: AsyncConnection, table: Table, tenant_id: str, user_id: str) -> int:
    """Delete a user's rows of a table; return how many there were."""
    mine = delete(table).where(table.c.tenant_id == tenant_id, table.c.user_id == user_id)
    return (await connection.execute(mine)).rowcount


async def make_nobodys(connection: AsyncConnection, tenant_id: str, user_id: str) -> int:
    """Take the user out of the tenant's books, whose sums stay; return how many rows named them."""
    mine = update(usage).where(usage.c.tenant_id == tenant_id, usage.c.user_id == user_id)
    return (await connection.execute(mine.values(user_id=NOBODY))).rowcount
