"""Transactions that see the rows of one tenant: row-level security of PostgreSQL, set for each of them.

The policies are made by migrations (`gatehouse.migrations.policies`). SQLite has none: there, as on
PostgreSQL, every statement names the tenant and the user itself, and the policies are the second lock.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Literal

from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

# The tenant whose rows are seen and written; the one API key that is seen before its tenant is known
Setting = Literal["gatehouse.tenant", "gatehouse.api_key"]

# The role that sees rows of all tenants, by the policies of migration 0017
OPERATOR = text(
    "SELECT left(tableowner, 54) || '_operator' FROM pg_tables "
    "WHERE schemaname = current_schema() AND tablename = 'api_keys'"
)

# Whose rows stores see that know of no principal, such as LangGraph's: the tenant of the run that goes on
tenant_of_context: ContextVar[str] = ContextVar("tenant_of_context", default="")


class NoOperator(Exception):
    """The operator's role is missing, or is not ours; the message says how a superuser mends it."""

    def __init__(self, role: str, member: str) -> None:
        super().__init__(
            f"the role {role} is needed, and has to be granted to {member}: as a superuser run "
            f'CREATE ROLE "{role}" NOLOGIN; GRANT "{role}" TO "{member}";'
        )


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


async def see_as_operator(connection: AsyncConnection) -> None:
    """Give the rest of the transaction, and nothing after it, sight of the rows that operators see.

    Which these are the policies say. Fails in the database for a role that is no member of the operator's.
    """
    if connection.dialect.name == "postgresql":
        operator = await connection.scalar(OPERATOR)
        await connection.execute(select(func.set_config("role", operator, True)))


async def why_no_operator(engine: AsyncEngine) -> str | None:
    """Return why the role that we connect as cannot become the operator, None when it can."""
    try:
        async with engine.begin() as connection:
            await see_as_operator(connection)
    except ProgrammingError:
        async with engine.connect() as connection:
            role = await connection.scalar(OPERATOR)
            ourselves = await connection.scalar(select(func.current_user()))
            return str(NoOperator(str(role), str(ourselves)))
    return None
