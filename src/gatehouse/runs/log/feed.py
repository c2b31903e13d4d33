"""The newest records of a run in memory, for the viewers in this process."""

import asyncio
from bisect import bisect_right

from gatehouse.runs.events import BEGINNING, Cursor, Record


class Feed:
    """Holds a run's last `size` records. Viewers keep a cursor each, and no buffer of their own.

    `base` is the cursor after which the feed has every record: a viewer that is behind it reads the log.
    """

    def __init__(self, size: int, base: Cursor = BEGINNING) -> None:
        self.size = size
        self.base = base
        self.closed = False
        self._records: list[Record] = []
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def top(self) -> Cursor:
        """The cursor of the newest record."""
        return self._records[-1].cursor if self._records else self.base

    @property
    def ended(self) -> bool:
        """True when the run's last record is here."""
        return bool(self._records) and self._records[-1].type == "end"

    def append(self, record: Record) -> None:
        """Add a record and wake the viewers."""
        self._records.append(record)
        if len(self._records) > 2 * self.size:  # drop half at once: a deque cannot be searched
            self.base = self._records[-self.size - 1].cursor
            del self._records[: -self.size]
        if self._waiting:
            self._wake()

    def extend(self, records: list[Record]) -> None:
        """Add records that were read from the log; what the log had lost before them is behind the base."""
        for record in records:
            if not record.cursor.follows(self.top):
                self.base = Cursor(record.cursor.attempt, record.cursor.sequence - 1)
                self._records.clear()
            self.append(record)

    def close(self) -> None:
        """Say that no record will come any more; viewers look elsewhere for the rest."""
        self.closed = True
        self._wake()

    def after(self, cursor: Cursor) -> list[Record]:
        """Return the records after `cursor`, which must not lie before `base`."""
        if not self._records or self._records[-1].cursor <= cursor:
            return []
        if self._records[0].cursor > cursor:
            return self._records[:]
        return self._records[bisect_right(self._records, cursor, key=_cursor) :]

    async def changed(self) -> None:
        """Return when a record has come or the feed was closed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        finally:
            if not future.done() or future.cancelled():
                self._waiting = [waiting for waiting in self._waiting if waiting is not future]

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


def _cursor(record: Record) -> Cursor:
    return record.cursor


def unbroken(records: list[Record], after: Cursor) -> list[Record]:
    """Return the first records that follow on the cursor and on each other, without a hole between them."""
    for count, record in enumerate(records):
        if not record.cursor.follows(after):
            return records[:count]
        after = record.cursor
    return records
