"""`gatehouse db`: the database's schema."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from gatehouse.cli.environment import load_settings
from gatehouse.cli.failure import Failed
from gatehouse.cli.output import print_json
from gatehouse.cli.stores import open_database

if TYPE_CHECKING:
    from gatehouse.settings import Settings

commands = typer.Typer(help="Look at the database's schema and bring it up to date.", no_args_is_help=True)


@commands.command()
def upgrade(
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing when it was done.")] = False,
) -> None:
    """Bring the schema up to date.

    Several may run at once: one does the work, the others wait for it. A schema that is newer than this
    release stays as it is.
    """
    asyncio.run(brought_up_to_date(load_settings()))
    if not quiet:
        print("The database's schema is up to date.")


@commands.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether the database can be used; exit with 1 when it cannot."""
    reason = asyncio.run(why_not(load_settings()))
    if as_json:
        print_json({"ready": reason is None, "reason": reason})
        if reason:
            raise typer.Exit(1)
    elif reason:
        raise Failed(f"database: {reason}")
    else:
        print("The database can be reached and its schema is up to date.")


async def brought_up_to_date(settings: "Settings") -> None:
    """Raises Failed."""
    from gatehouse.storage.schema import schemas_of
    from gatehouse.storage.schema import upgrade as upgrade_schema
    from gatehouse.storage.tenancy import NoOperator

    async with open_database(settings, ready=False) as engine:
        try:
            await upgrade_schema(engine, schemas_of(settings))
        except NoOperator as error:
            raise Failed(f"database: {error}") from None
        if engine.dialect.name == "postgresql":
            from gatehouse.runs.checkpoints.opening import (
                set_up_checkpoints,  # it takes LangGraph, which SQLite does not need
            )

            await set_up_checkpoints(settings.database)


async def why_not(settings: "Settings") -> str | None:
    """Return why the database cannot be used, None when it can. Raises Failed for an unusable URL."""
    from gatehouse.storage.schema import schemas_of, why_not_ready

    async with open_database(settings, ready=False) as engine:
        return await why_not_ready(engine, schemas_of(settings))
