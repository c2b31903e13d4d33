"""What `gatehouse serve` does to the database first, where it is asked to.

`make run` would otherwise be three processes, each of which imports the same.
"""

import asyncio
import pkgutil
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gatehouse.cli.database import brought_up_to_date
from gatehouse.cli.failure import Failed
from gatehouse.cli.stores import open_database

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine

    from gatehouse.settings import Settings

Seed = Callable[["AsyncEngine"], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Preparation:
    """Whether the schema is brought up to date, and which function, if any, then puts data into it."""

    upgrade: bool
    seed: str | None


def prepare(settings: "Settings", preparation: Preparation) -> None:
    """Do to the database what is asked for. Raises Failed."""
    if preparation.seed is not None and not settings.development:
        raise Failed("--seed: its data is for development, and GATEHOUSE_ENVIRONMENT is production")
    if preparation.upgrade:
        asyncio.run(brought_up_to_date(settings))
    if preparation.seed is not None:
        asyncio.run(seeded(settings, named(preparation.seed)))


async def seeded(settings: "Settings", seed: Seed) -> None:
    """Raises Failed when the database cannot be used, and whatever `seed` does."""
    async with open_database(settings) as engine:
        await seed(engine)


def named(name: str) -> Seed:
    """Return the function that `package.module:NAME` names, perhaps of the working folder. Raises Failed."""
    from gatehouse.settings.modules import see_working_folder

    see_working_folder()
    try:
        function: Seed = pkgutil.resolve_name(name)
    except (ValueError, ImportError, AttributeError) as error:
        raise Failed(f"--seed {name}: {error}") from None
    return function
