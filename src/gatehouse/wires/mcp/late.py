"""The protocol's own server, which a start does without: to import its types takes half a second of CPU."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING

from gatehouse.background import in_background
from gatehouse.registry.entry import ServedEntry

if TYPE_CHECKING:
    from gatehouse.wires.mcp.exchange import Exchange

QUIET_SECONDS = 0.5  # after a start: those who waited for it are answered first


async def exchanges() -> "type[Exchange]":
    """Return what answers a message, when it has been imported; the event loop goes on meanwhile."""
    return imported() if imported.cache_info().currsize else await asyncio.to_thread(imported)


@cache
def imported() -> "type[Exchange]":
    """Return what answers a message. Blocks until it is imported."""
    from gatehouse.wires.mcp.exchange import Exchange  # noqa: PLC0415  # what is late here

    return Exchange


@asynccontextmanager
async def imported_soon(entries: Iterable[ServedEntry]) -> AsyncIterator[None]:
    """Import it in the background, shortly after a start, where one of the entries is offered over it."""
    if not any(entry.told_over_mcp for entry in entries):
        yield
        return

    async def import_it() -> None:
        await asyncio.sleep(QUIET_SECONDS)
        await exchanges()

    async with in_background(mcp=import_it()):
        yield
