"""Erases rows that need not be kept any longer, in the background of a server."""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager

import structlog
from sqlalchemy.exc import SQLAlchemyError

from gatehouse.background import again_and_again, in_background

log = structlog.get_logger(__name__)


def purging_now_and_then(
    what: str, purge: Callable[[], Awaitable[int]], pauses: Iterable[float]
) -> AbstractAsyncContextManager[None]:
    """Return a context in which rows are erased after each pause; `purge` returns how many it erased."""

    async def once() -> None:
        if rows := await purge():
            log.info(f"{what} purged", rows=rows)

    work = again_and_again(once, pauses, f"{what} cannot be purged", (SQLAlchemyError, OSError))
    return in_background(**{f"{what.replace(' ', '_')}_purge": work})
