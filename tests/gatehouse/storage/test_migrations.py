"""The migrated schema is the one that the tables describe, on every database there is to try."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from migrated_databases import SCHEMAS
from postgres_databases import create_role, empty_database, execute, url_for
from sqlalchemy import Connection, MetaData, inspect, select, text
from sqlalchemy.engine.interfaces import ReflectedIndex
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.auth.api_keys.tables import api_keys
from gatehouse.migrations.target import TARGET
from gatehouse.storage.database import open_engine
from gatehouse.storage.schema import config_of, upgrade, why_not_ready
from gatehouse.storage.tenancy import NoOperator, tenant_transaction, why_no_operator
from tools.portfolio.tables import metadata as portfolio

TABLES = (TARGET, portfolio)
VERSION_TABLES = {schema.version_table for schema in SCHEMAS}
UNTOLD = {"include_name": lambda name, _kind, _parents: name not in VERSION_TABLES}


@pytest.fixture(params=["sqlite", "postgresql"])
async def engine(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    """An empty database, gone after the test."""
    if request.param == "sqlite":
        engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'gatehouse.db'}")
        yield engine
        await engine.dispose()
        return
    async with empty_database(request.getfixturevalue("postgres_url")) as url:
        engine = open_engine(url)
        yield engine
        await engine.dispose()


def described(connection: Connection) -> dict[str, Any]:
    """Return all that the database itself tells of the schema, but for Alembic's own table."""
    inspector = inspect(connection)
    return {
        table: {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"])
                for column in inspector.get_columns(table)
            },
            "primary key": inspector.get_pk_constraint(table),
            "foreign keys": sorted(inspector.get_foreign_keys(table), key=lambda key: str(key["name"])),
            "indexes": sorted(map(index_of, inspector.get_indexes(table)), key=itemgetter("name")),
            "checks": sorted(inspector.get_check_constraints(table), key=lambda check: str(check["name"])),
        }
        for table in inspector.get_table_names()
        if not table.startswith("alembic_version")
    }


def index_of(index: ReflectedIndex) -> dict[str, Any]:
    """Return an index in words: two conditions of SQLAlchemy's are never equal."""
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return {**index, "dialect_options": options}


def create_all(connection: Connection) -> None:
    for metadata in TABLES:
        metadata.create_all(connection)


def drop_all(connection: Connection) -> None:
    for metadata in reversed(TABLES):
        metadata.drop_all(connection)


def downgrade(connection: Connection) -> None:
    for schema in reversed(SCHEMAS):
        command.downgrade(config_of(schema, connection), "base")


class TestMigrations:
    async def test_leave_nothing_for_alembic_to_generate(self, engine: AsyncEngine) -> None:
        await upgrade(engine, SCHEMAS)
        async with engine.connect() as connection:
            assert (
                await connection.run_sync(
                    lambda sync: compare_metadata(MigrationContext.configure(sync, opts=UNTOLD), TABLES)  # type: ignore[arg-type]  # says alembic's stub; it takes several
                )
                == []
            )

    async def test_build_what_the_tables_describe_down_to_the_names(self, engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.run_sync(create_all)
            expected = await connection.run_sync(described)
            await connection.run_sync(drop_all)
        await upgrade(engine, SCHEMAS)
        async with engine.connect() as connection:
            assert await connection.run_sync(described) == expected

    async def test_can_be_taken_back(self, engine: AsyncEngine) -> None:
        await upgrade(engine, SCHEMAS)
        async with engine.begin() as connection:
            await connection.run_sync(downgrade)
            assert await connection.run_sync(described) == {}
        await upgrade(engine, SCHEMAS)
        assert await why_not_ready(engine, SCHEMAS) is None

    async def test_of_several_replicas_at_once_are_run_once(self, engine: AsyncEngine) -> None:
        replicas = [open_engine(engine.url.render_as_string(hide_password=False)) for _ in range(4)]
        await asyncio.gather(*(upgrade(replica, SCHEMAS) for replica in replicas))
        assert await why_not_ready(engine, SCHEMAS) is None
        for replica in replicas:
            await replica.dispose()


class TestTables:
    @pytest.mark.parametrize("metadata", TABLES)
    def test_name_every_constraint(self, metadata: MetaData) -> None:
        for table in metadata.tables.values():
            assert all(constraint.name for constraint in table.constraints)

    @pytest.mark.parametrize("table", ["accounts", "holdings", "cash_accounts", "transfers", "orders"])
    def test_of_personal_data_are_keyed_by_tenant_and_user(self, table: str) -> None:
        [found] = [metadata.tables[table] for metadata in TABLES if table in metadata.tables]
        assert [column.name for column in found.primary_key][:2] == ["tenant_id", "user_id"]


KEY = (
    "INSERT INTO api_keys (id, tenant_id, user_id, name, scopes, secret_hash, pepper_version, claims, "
    "created_at) VALUES (:id, :tenant, 'u', '', :scopes, :hash, 1, '{}', '2026-01-01 00:00:00+00:00')"
)


async def test_keys_that_exist_keep_their_users_own_data(engine: AsyncEngine) -> None:
    """Migration 0013, as the role that owns the tables, for which row-level security holds too."""

    def migrated(connection: Connection, revision: str) -> None:
        command.upgrade(config_of(SCHEMAS[0], connection), revision)

    given = {"a": ["runnable:chat"], "b": ["*"], "c": [], "d": ["runs:read", "usage:read"]}
    async with engine.begin() as connection:
        await connection.run_sync(migrated, "0012")
    for number, (name, scopes) in enumerate(given.items()):
        async with tenant_transaction(engine, f"tenant-{number % 2}") as connection:
            values = {
                "id": name,
                "tenant": f"tenant-{number % 2}",
                "scopes": json.dumps(scopes),
                "hash": name.encode(),
            }
            await connection.execute(text(KEY), values)
    async with engine.begin() as connection:
        await connection.run_sync(migrated, "0013")
    found: dict[str, set[str]] = {}
    for number in range(2):
        async with tenant_transaction(engine, f"tenant-{number}") as connection:
            rows = await connection.execute(select(api_keys.c.id, api_keys.c.scopes))
            found |= {row.id: set(row.scopes) for row in rows}
    own = {"threads:read", "threads:write", "runs:read", "runs:write"}
    assert found == {"a": {"runnable:chat"} | own, "b": {"*"}, "c": set(), "d": {"usage:read"} | own}


class TestOperatorRole:
    """Migration 0017 of a PostgreSQL whose owner has no operator's role yet."""

    async def test_that_is_missing_is_asked_for_and_nothing_is_changed(self, postgres_url: str) -> None:
        async with owned_by(postgres_url, "gatehouse_alone", "") as engine:
            with pytest.raises(NoOperator, match=r"CREATE ROLE \"gatehouse_alone_operator\" NOLOGIN; GRANT"):
                await upgrade(engine, SCHEMAS)
            assert "revision none" in str(await why_not_ready(engine, SCHEMAS))

    async def test_is_made_by_a_role_that_may_make_roles(self, postgres_url: str) -> None:
        async with owned_by(postgres_url, "gatehouse_maker", "CREATEROLE") as engine:
            await upgrade(engine, SCHEMAS)
            assert await why_no_operator(engine) is None
            async with engine.begin() as connection:
                await connection.run_sync(downgrade)
            await execute(postgres_url, "DROP OWNED BY gatehouse_maker_operator")
            await upgrade(engine, SCHEMAS)  # it is there already


@asynccontextmanager
async def owned_by(server_url: str, role: str, may: str) -> AsyncIterator[AsyncEngine]:
    """Yield an empty database of a role that has no operator's role."""
    name = f"gatehouse_test_{uuid4().hex}"
    await create_role(server_url, role)
    await execute(server_url, f"ALTER ROLE {role} {may or 'NOCREATEROLE'}")
    await execute(server_url, f"CREATE DATABASE {name} OWNER {role}")
    engine = open_engine(url_for(server_url, role, name))
    yield engine
    await engine.dispose()
    await execute(server_url, f"DROP DATABASE {name}")
    await execute(server_url, f"DROP ROLE IF EXISTS {role}_operator")
    await execute(server_url, f"DROP ROLE {role}")
