"""The database and the API keys, opened for one command."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from gatehouse.cli.failure import Failed

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gatehouse.auth.api_keys.store import ApiKeys
    from gatehouse.settings import Settings


@asynccontextmanager
async def open_database(settings: "Settings", *, ready: bool = True) -> "AsyncIterator[AsyncEngine]":
    """Yield the database. Raises Failed when it cannot be used; `ready` asks for a current schema too."""
    from sqlalchemy.exc import SQLAlchemyError

    from gatehouse.storage.database import open_engine
    from gatehouse.storage.schema import schemas_of, why_not_ready

    try:
        engine = open_engine(settings.database)
    except (SQLAlchemyError, ModuleNotFoundError, OSError, ValueError) as error:
        # the error's own text may hold the URL and its password
        raise Failed(f"database: GATEHOUSE_DATABASE_URL cannot be used ({type(error).__name__})") from error
    try:
        if ready and (reason := await why_not_ready(engine, schemas_of(settings))):
            raise Failed(f"database: {reason}")
        yield engine
    except (SQLAlchemyError, OSError) as error:
        raise Failed(
            f"database: it failed ({type(error).__name__}); gatehouse db status says more"
        ) from error
    finally:
        await engine.dispose()


@asynccontextmanager
async def open_api_keys(settings: "Settings") -> "AsyncIterator[ApiKeys]":
    """Yield the API keys. Raises Failed when the database or the pepper cannot be used."""
    async with open_database(settings) as engine:
        yield await api_keys_of(settings, engine)


async def api_keys_of(settings: "Settings", engine: "AsyncEngine") -> "ApiKeys":
    """Return the API keys in a database. Raises Failed when the pepper cannot be used."""
    from gatehouse.auth.api_keys.store import ApiKeys
    from gatehouse.auth.configuration import BadConfiguration

    try:
        return await asyncio.to_thread(ApiKeys.from_settings, settings, engine)
    except BadConfiguration as error:
        raise Failed(f"API keys: {error}") from None
