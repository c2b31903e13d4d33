"""How many calls of models one tenant may have under way in a process: a share of its connections.

Without it, the calls of a tenant whose provider hangs, or who asks a lot, would hold every connection.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from gatehouse.models.asking import asking_tenant


@dataclass(slots=True)
class Share:
    """A tenant's calls: those that may begin, and how many have come and not gone."""

    free: asyncio.Semaphore
    users: int = field(default=0)


class TenantShares:
    """Lets `most` calls of a tenant go on at once; further ones wait their turn. None: as many as come."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._shares: dict[str, Share] = {}

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[None]:
        """Hold one of the places of the tenant whom the model is asked for; of nobody's calls none counts."""
        tenant = asking_tenant()
        if self._most is None or not tenant:
            yield
            return
        share = self._shares.setdefault(tenant, Share(asyncio.Semaphore(self._most)))
        share.users += 1
        try:
            async with share.free:
                yield
        finally:
            share.users -= 1
            if not share.users:
                del self._shares[tenant]


UNSHARED = TenantShares()
