"""Transactions that see the rows of one tenant: row-level security of PostgreSQL, set for each of them.

The policies are made by migrations (`gatehouse.migrations.policies`). SQLite has none: there, as on
PostgreSQL, every statement names the tenant and the user itself, and the policies are the second lock.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Literal

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# The tenant whose rows are seen and written; the one API key that is seen before its tenant is known; "on"
# for the operator's list of the keys of all tenants
Setting = Literal["gatehouse.tenant", "gatehouse.api_key", "gatehouse.operator"]

# Whose rows stores see that know of no principal, such as LangGraph's: the tenant of the run that goes on
tenant_of_context: ContextVar[str] = ContextVar("tenant_of_context", default="")


@asynccontextmanager
async def tenant_transaction(engine: AsyncEngine, tenant_id: str) -> AsyncIterator[AsyncConnection]:
    """Yield a connection in a transaction that sees and writes rows of this tenant only."""
    async with engine.begin() as connection:
        await see_tenant(connection, tenant_id)
        yield connection


async def see_tenant(connection: AsyncConnection, tenant_id: str) -> None:
    """Give the rest of the transaction sight of the rows of this tenant only, for reading and writing."""
    await let_see(connection, "gatehouse.tenant", tenant_id)


async def let_see(connection: AsyncConnection, setting: Setting, value: str) -> None:
    """Give the rest of the transaction, and nothing after it, sight of the rows that a setting names.

    Local to the transaction: a pooled connection, also of PgBouncer, carries it to nobody else.
    """
    if connection.dialect.name == "postgresql":
        await connection.execute(select(func.set_config(setting, value, True)))
