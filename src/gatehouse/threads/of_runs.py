"""What is asked of threads, and done to them, by the id of a run that said something in one."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import Conflict, NotFound
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.threads import queries
from gatehouse.threads.branching import show_branch, tree_of
from gatehouse.threads.rows import lock
from gatehouse.threads.tables import messages, threads


async def go_on_after(engine: AsyncEngine, principal: Principal, run_id: str) -> tuple[str, str]:
    """Return the thread of a run, and the question in whose place one asks after its answer.

    That is empty where nothing was said after its answer, whose branch is shown then. Raises NotFound for a
    run without an answer in a thread of the caller's.
    """
    answer = select(messages.c.id, messages.c.thread_id, messages.c.shown).where(
        queries.owned(messages, principal), messages.c.run_id == run_id, messages.c.role == "ai"
    )
    async with tenant_transaction(engine, principal.tenant_id) as connection:
        row = (await connection.execute(answer)).one_or_none()
        if row is None or not await lock(connection, principal, row.thread_id):
            raise NotFound("There is no such answer.")
        tree = await tree_of(connection, principal, row.thread_id)
        if after := tree.followers.get(row.id):
            return row.thread_id, after[-1]
        if not row.shown:
            await show_branch(connection, principal, row.thread_id, row.id)
        return row.thread_id, ""


async def answer_of(engine: AsyncEngine, principal: Principal, run_id: str) -> tuple[str, str]:
    """Return the thread of a run, and its answer there. Raises NotFound for none of the caller's."""
    answer = select(messages.c.thread_id, messages.c.id).where(
        queries.owned(messages, principal), messages.c.run_id == run_id, messages.c.role == "ai"
    )
    async with tenant_transaction(engine, principal.tenant_id) as connection:
        row = (await connection.execute(answer)).one_or_none()
    if row is None:
        raise NotFound("There is no such answer.")
    return row.thread_id, row.id


async def forget(engine: AsyncEngine, principal: Principal, thread_id: str, run_id: str) -> None:
    """Erase what a run has said in its thread, and the thread where that is all.

    Raises NotFound, and Conflict where something was said after it.
    """
    async with tenant_transaction(engine, principal.tenant_id) as connection:
        if not await lock(connection, principal, thread_id):
            raise NotFound(queries.NO_SUCH_THREAD)
        rows = await connection.execute(queries.PLACES, queries.owner(principal, thread_id))
        runs = [row.run_id for row in sorted(rows, key=lambda row: row.position)]
        if runs and runs[-1] != run_id:
            raise Conflict("Something was said after it in this thread: forget that first.")
        of_run = queries.messages_of(principal, thread_id), messages.c.run_id == run_id
        await connection.execute(delete(messages).where(*of_run))
        if {*runs} <= {run_id}:
            await connection.execute(delete(threads).where(queries.this_thread(principal, thread_id)))
