"""The credential of somebody who follows a run for long: a revoked one shows its holder nothing more."""

import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import structlog

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import CredentialExpired
from gatehouse.runs.credentials import CHECK_EVERY, CredentialValid
from gatehouse.runs.events import Record

log = structlog.get_logger(__name__)


class ViewerCredential:
    """Asks every 10 s whether a viewer's credential still holds."""

    def __init__(self, principal: Principal, credential_valid: CredentialValid) -> None:
        self._principal = principal
        self._credential_valid = credential_valid
        self._asked = time.monotonic()

    async def still_holds(self) -> bool:
        """Tell what was found last; true where it cannot be told now, until the next time."""
        if time.monotonic() - self._asked < CHECK_EVERY:
            return True
        self._asked = time.monotonic()
        try:
            return await self._credential_valid(self._principal)
        except Exception as error:  # the database or Redis is away
            log.warning("credential of a viewer cannot be checked", error=type(error).__name__)
            return True


async def while_held(
    credential: ViewerCredential, records: AsyncIterator[list[Record]]
) -> AsyncIterator[list[Record]]:
    """Yield the records. Raises CredentialExpired in their place when the credential holds no longer."""
    async with aclosing(records):  # type: ignore[type-var]  # a generator
        async for ready in records:
            if not await credential.still_holds():
                raise CredentialExpired
            yield ready
