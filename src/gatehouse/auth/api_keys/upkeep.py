"""What is written about API keys after they were used: when that was, and a hash with the newest pepper.

It happens here, in one task, so that no request waits for it.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import BindParameter, bindparam, func, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.auth.api_keys.record import ApiKey
from gatehouse.auth.api_keys.tables import api_keys
from gatehouse.background import in_background
from gatehouse.storage.tenancy import tenant_transaction

log = structlog.get_logger(__name__)

WRITE_EVERY = 15.0  # seconds
USE_NOTED_EVERY = timedelta(minutes=1)

Row = Mapping[str, Any]

USED_AT: BindParameter[datetime] = bindparam("used_at")
NOTE_USE = (
    update(api_keys)
    .where(api_keys.c.id == bindparam("key_id"), func.coalesce(api_keys.c.last_used_at < USED_AT, True))
    .values(last_used_at=USED_AT)
)
# only over the hash that was verified: the key may have been hashed anew by another replica
REHASH = (
    update(api_keys)
    .where(api_keys.c.id == bindparam("key_id"), api_keys.c.pepper_version == bindparam("old_version"))
    .values(secret_hash=bindparam("new_hash"), pepper_version=bindparam("new_version"))
)


class KeyUpkeep:
    """Gathers what is to be written, one entry a key, and writes it in batches.

    What cannot be written is lost: the key's next use notes it again.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._noted: dict[str, datetime] = {}
        self._uses: dict[str, tuple[str, Row]] = {}
        self._hashes: dict[str, tuple[str, Row]] = {}

    def note_use(self, record: ApiKey) -> None:
        """Note that the key was used now, unless that was noted within the last minute."""
        now = datetime.now(UTC)
        noted = self._noted.get(record.id, record.last_used_at)
        if noted is None or now - noted >= USE_NOTED_EVERY:
            self._noted[record.id] = now
            self._uses[record.id] = (record.tenant_id, {"key_id": record.id, "used_at": now})

    def rehash(self, record: ApiKey, new_hash: bytes, version: int) -> None:
        """Have the key's hash replaced by one with another pepper."""
        row = {
            "key_id": record.id,
            "old_version": record.pepper_version,
            "new_hash": new_hash,
            "new_version": version,
        }
        self._hashes[record.id] = (record.tenant_id, row)

    async def write(self) -> None:
        """Write what has gathered: a transaction for each tenant, so that each sees its own keys only."""
        uses, self._uses = self._uses, {}
        hashes, self._hashes = self._hashes, {}
        due = datetime.now(UTC) - USE_NOTED_EVERY
        self._noted = {key_id: noted for key_id, noted in self._noted.items() if noted > due}
        used, hashed = by_tenant(uses.values()), by_tenant(hashes.values())
        for tenant_id in sorted(used.keys() | hashed.keys()):
            try:
                async with tenant_transaction(self._engine, tenant_id) as connection:
                    if rows := used.get(tenant_id):
                        await connection.execute(NOTE_USE, rows)
                    if rows := hashed.get(tenant_id):
                        await connection.execute(REHASH, rows)
            except (SQLAlchemyError, OSError) as error:
                log.warning("use of API keys not noted", tenant_id=tenant_id, reason=type(error).__name__)

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Write every 15 s while the context is open, and once more when it closes."""
        try:
            async with in_background(API_key_upkeep=self._write_again_and_again()):
                yield
        finally:
            await self.write()

    async def _write_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY)
            await self.write()


def by_tenant(noted: Any) -> Mapping[str, Sequence[Row]]:
    """Return the rows of each tenant by their keys: two replicas then lock them in the same order."""
    rows: dict[str, list[Row]] = defaultdict(list)
    for tenant_id, row in sorted(noted, key=lambda entry: str(entry[1]["key_id"])):
        rows[tenant_id].append(row)
    return rows
