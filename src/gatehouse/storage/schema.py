"""The database's schema: Gatehouse's own tables, and those that a deployment's tools have beside them.

Each has migrations and a table of its own in which Alembic keeps how far they have come. Alembic is imported
where there may be something to do (`gatehouse.storage.revisions`), psycopg where there is PostgreSQL.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, inspect, select, table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.settings import Settings
from gatehouse.settings.modules import see_working_folder
from gatehouse.storage.database import ANSWER_SECONDS, away
from gatehouse.storage.revisions import is_newest

if TYPE_CHECKING:
    from alembic.config import Config

ENVIRONMENT = Path(__file__).parents[1] / "migrations"  # where Alembic finds env.py, for every schema
UPGRADE_LOCK = 0x6761_7465  # "gate": the PostgreSQL advisory lock of whoever upgrades the schema
USUAL_PACKAGE = "tools.migrations"


class NoMigrations(Exception):
    """GATEHOUSE_MIGRATIONS names no package with migrations; the message says so."""


@dataclass(frozen=True, slots=True)
class Schema:
    """Migrations in a folder, and the table that says how far they have come."""

    versions: Path
    version_table: str = "alembic_version"


OURS = Schema(ENVIRONMENT / "versions")


def schemas_of(settings: Settings) -> tuple[Schema, ...]:
    """Return the schemas of a deployment: ours, and that of its own package where it has one.

    The package is GATEHOUSE_MIGRATIONS, else `tools.migrations` where the working folder has it; its
    migrations are the files in its folder `versions`. Raises NoMigrations.
    """
    folder = _versions_of(settings.migrations or USUAL_PACKAGE, see_working_folder())
    if folder is None and settings.migrations:
        raise NoMigrations(
            f"GATEHOUSE_MIGRATIONS: {settings.migrations} is no package with a folder versions"
        )
    return (OURS,) if folder is None else (OURS, Schema(folder, "alembic_version_deployment"))


@cache  # /readyz asks each time
def _versions_of(package: str, _working_folder: str) -> Path | None:
    """Return the package's folder of migrations as it is found from a working folder, None without one."""
    try:
        spec = find_spec(package)
    except ImportError:
        return None
    for location in (spec and spec.submodule_search_locations) or ():
        if (versions := Path(location) / "versions").is_dir():
            return versions
    return None


async def upgrade(engine: AsyncEngine, schemas: Sequence[Schema] = (OURS,)) -> None:
    """Bring each schema to this release's newest revision, all as one transaction.

    Several processes may do so at once: one does the work, the others wait and find it done. A schema
    of a newer release is left as it is, so that a rolled-back release can run this too.
    """
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade, schemas)


async def why_not_ready(engine: AsyncEngine, schemas: Sequence[Schema] = (OURS,)) -> str | None:
    """Return why the database cannot be used, None when it can.

    It cannot when it does not answer within 5 s, or when a schema is older than this release. A newer
    one is fine: during a rolling update the old release runs on it.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS), engine.connect() as connection:
            revisions = [await connection.run_sync(_revision, schema) for schema in schemas]
    except (SQLAlchemyError, OSError) as error:
        return away(error)
    for schema, revision in zip(schemas, revisions, strict=True):
        if _is_behind(schema, revision):
            whose = "its schema" if schema == OURS else "the schema of this deployment's own tables"
            newest = _revisions(schema)[0]
            return f"{whose} is at revision {revision or 'none'}, not {newest}: run gatehouse db upgrade"
    return None


def _upgrade(connection: Connection, schemas: Sequence[Schema]) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # sqlite3 itself begins no transaction for DDL
    elif connection.dialect.name == "postgresql":
        from gatehouse.storage.postgres import BoundedConnection

        if isinstance(driver := connection.connection.driver_connection, BoundedConnection):
            driver.answer_seconds = None  # others may be at it, and a table may be large
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({UPGRADE_LOCK})")
    for schema in schemas:
        if _is_behind(schema, _revision(connection, schema)):
            from alembic import command

            command.upgrade(config_of(schema, connection), "head")


def _revision(connection: Connection, schema: Schema) -> str | None:
    """Return the revision that the schema is at, None for a database without one."""
    if not inspect(connection).has_table(schema.version_table):
        return None
    revision: str | None = connection.scalar(
        select(column("version_num")).select_from(table(schema.version_table))
    )
    return revision


def _is_behind(schema: Schema, revision: str | None) -> bool:
    if is_newest(schema.versions, revision):
        return False
    revisions = _revisions(schema)
    return bool(revisions) and (revision is None or revision in revisions[1:])


@cache  # /readyz asks each time, and Alembic reads every migration from its file
def _revisions(schema: Schema) -> tuple[str, ...]:
    """Return this release's revisions, the newest first."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(config_of(schema))
    return tuple(script.revision for script in scripts.walk_revisions())


def config_of(schema: Schema, connection: Connection | None = None) -> "Config":
    """Return what Alembic's commands are given for a schema, to be run over a connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _escaped(ENVIRONMENT))
    config.set_main_option("version_locations", _escaped(schema.versions))
    config.set_main_option("path_separator", "newline")  # a folder's name may hold spaces and colons
    config.attributes.update(connection=connection, version_table=schema.version_table)
    return config


def _escaped(path: Path) -> str:
    return str(path).replace("%", "%%")
