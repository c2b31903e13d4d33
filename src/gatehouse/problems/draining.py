"""How far a process has come with ending: what it still takes on depends on that."""

import asyncio
from typing import Any

from gatehouse.problems.errors import ApiError

RETRY_AFTER = 1  # seconds in which a proxy has found another replica
CLOSING_POLL = 0.25


class Restarting(ApiError):
    """This process is about to end. Another one answers, or reads on."""

    status = 503
    kind = "restarting"
    default_detail = "This server is being restarted. Ask again: another one answers."

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        super().__init__(detail, headers={"retry-after": str(RETRY_AFTER)}, **extra)


class Drain:
    """The stages of a process that was told to end.

    `leaving`: it is not ready any more and serves everything, until proxies have noticed. `refusing`: it
    starts no run any more; those that go on can be read, joined and cancelled.
    """

    def __init__(self) -> None:
        self.leaving = False
        self._refusing = asyncio.Event()

    @property
    def refusing(self) -> bool:
        return self._refusing.is_set()

    def leave(self) -> None:
        """Be not ready from now on. A signal handler may call this."""
        self.leaving = True

    def refuse(self) -> None:
        """Start no run from now on."""
        self.leaving = True
        self._refusing.set()

    def check(self) -> None:
        """Raise Restarting when no run is started any more."""
        if self.refusing:
            raise Restarting

    async def pause(self, seconds: float) -> None:
        """Return after so many seconds; sooner when runs begin to be refused, and often from then on."""
        if self.refusing:
            await asyncio.sleep(min(seconds, CLOSING_POLL))
            return
        try:
            async with asyncio.timeout(seconds):
                await self._refusing.wait()
        except TimeoutError:
            return
