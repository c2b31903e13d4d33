"""Writes the audit log: most of it in batches behind the requests' backs, what must not be lost at once."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.audit.entry import AuditEntry
from gatehouse.audit.table import audit_log
from gatehouse.background import in_background
from gatehouse.storage.inserting import insert_if_new
from gatehouse.storage.tenancy import tenant_transaction

log = structlog.get_logger(__name__)

PAUSE = 1.0  # seconds between two batches
AT_ONCE = 500  # rows
MOST_WAITING = 10_000  # entries; a database that is away for long costs the newest
CLOSE_SECONDS = 5.0


class AuditTrail:
    """The audit log, as this process adds to it. `lost` is called with how many entries had no room."""

    def __init__(self, engine: AsyncEngine, lost: Callable[[int], None]) -> None:
        self._engine = engine
        self._lost = lost
        self._waiting: dict[str, AuditEntry] = {}  # by their ids, the oldest first
        self._dropped = 0
        self._flushing = asyncio.Lock()
        # a row that stands for several may be there already, from this process or another
        self._insert = insert_if_new(engine, audit_log)

    def note(self, entry: AuditEntry) -> None:
        """Have the entry written soon. Never waits; when too many wait it is lost, which is counted."""
        if entry.id in self._waiting:
            return
        if len(self._waiting) >= MOST_WAITING:
            self._dropped += 1
            self._lost(1)
            return
        self._waiting[entry.id] = entry

    async def write(self, entry: AuditEntry) -> None:
        """Write the entry now. Raises what the database raises."""
        await self._write([entry])

    async def write_within(self, connection: AsyncConnection, entry: AuditEntry) -> None:
        """Write the entry in a transaction of its tenant's: it is there when the rest is, and only then."""
        await connection.execute(self._insert, [entry.row()])

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Write what is noted while the context is open, and the rest in the end."""
        try:
            async with in_background(audit_log=self._write_again_and_again()):
                yield
        finally:
            await self._write_rest()

    async def flush(self) -> None:
        """Write all that waits. Raises what the database raises; what is not written yet still waits."""
        async with self._flushing:  # two at once would take from the queue what only one has written
            while self._waiting:
                some = list(islice(self._waiting.values(), AT_ONCE))
                await self._write(some)
                for entry in some:
                    del self._waiting[entry.id]

    async def _write_again_and_again(self) -> None:
        while True:
            await asyncio.sleep(PAUSE)
            try:
                await self.flush()
            except (SQLAlchemyError, OSError) as error:
                waiting = len(self._waiting)
                log.warning("audit log cannot be written", error=type(error).__name__, waiting=waiting)
            except Exception:  # the next batch may be a better one
                log.exception("audit log is not written")
            if self._dropped:
                log.error("entries of the audit log were lost", count=self._dropped)
                self._dropped = 0

    async def _write_rest(self) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.flush()
        except (SQLAlchemyError, OSError) as error:  # TimeoutError is an OSError
            count, kind = len(self._waiting), type(error).__name__
            self._lost(count)
            log.error("entries of the audit log were lost", count=count, error=kind)  # noqa: TRY400  # one line

    async def _write(self, entries: Iterable[AuditEntry]) -> None:
        """Write entries, a transaction for each tenant; twice does no harm."""
        by_tenant: defaultdict[str | None, list[dict[str, Any]]] = defaultdict(list)
        for entry in entries:
            by_tenant[entry.tenant_id].append(entry.row())
        for tenant_id, rows in by_tenant.items():
            await self._write_rows(tenant_id, rows)

    async def _write_rows(self, tenant_id: str | None, rows: Sequence[dict[str, Any]]) -> None:
        if tenant_id is None:
            async with self._engine.begin() as connection:
                await connection.execute(self._insert, rows)
            return
        async with tenant_transaction(self._engine, tenant_id) as connection:
            await connection.execute(self._insert, rows)
