"""The newest records of a run in memory, for the viewers in this process."""

import asyncio

from gatehouse.runs.events import BEGINNING, Cursor, Record
from gatehouse.runs.log.dense import Datum, DenseRecords


class Feed:
    """Holds a run's last `size` records. Viewers keep a cursor each, and no buffer of their own.

    `base` is the cursor after which the feed has every record: a viewer that is behind it reads the log.

    The records are those of one attempt, whose sequences are dense.
    """

    def __init__(self, size: int, base: Cursor = BEGINNING) -> None:
        self.size = size
        self.base = base
        self.closed = False
        self._kept = DenseRecords(*base)
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def top(self) -> Cursor:
        """The cursor of the newest record."""
        return self._kept.top if self._kept.types else self.base

    @property
    def ended(self) -> bool:
        """True when the run's last record is here."""
        types = self._kept.types
        return bool(types) and types[-1] == "end"

    def append(self, record: Record) -> None:
        """Add the record that follows on the newest, and wake the viewers."""
        if record.cursor.attempt != self._kept.attempt:
            self._begin(record.cursor.attempt)
        self._add(record.type, record.data)

    def say(self, text: str) -> None:
        """Add a token of the newest record's attempt, and wake the viewers."""
        self._add("token", text)

    def extend(self, records: list[Record]) -> None:
        """Add records that were read from the log; what the log had lost before them is behind the base."""
        for record in records:
            attempt, sequence = record.cursor
            if not record.cursor.follows(self.top):
                self.base = Cursor(attempt, sequence - 1)
                self._kept = DenseRecords(*self.base)
            self.append(record)

    def close(self) -> None:
        """Say that no record will come any more; viewers look elsewhere for the rest."""
        self.closed = True
        self._wake()

    def after(self, cursor: Cursor) -> list[Record]:
        """Return the records after `cursor`, which must not lie before `base`."""
        kept = self._kept
        first = max(0, cursor.sequence - kept.before) if cursor.attempt == kept.attempt else 0
        return [] if cursor.attempt > kept.attempt else kept.records(first)

    async def changed(self) -> None:
        """Return when a record has come or the feed was closed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        finally:
            if not future.done() or future.cancelled():
                self._waiting = [waiting for waiting in self._waiting if waiting is not future]

    def _add(self, kind: str, datum: Datum) -> None:
        kept = self._kept
        kept.types.append(kind)
        kept.data.append(datum)
        if len(kept.types) > 2 * self.size:  # half at once, which costs less than one at a time
            self._drop(self.size)
        if self._waiting:
            self._wake()

    def _begin(self, attempt: int) -> None:
        """Make room for the records of the next attempt: those before are in the log alone."""
        if self._kept.types:
            self.base = Cursor(attempt, 0)
        self._kept = DenseRecords(attempt, 0)

    def _drop(self, but: int) -> None:
        """Forget all records but the last ones."""
        kept = self._kept
        gone = len(kept.types) - but
        del kept.types[:gone]
        del kept.data[:gone]
        kept.before += gone
        self.base = Cursor(kept.attempt, kept.before)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)


def unbroken(records: list[Record], after: Cursor) -> list[Record]:
    """Return the first records that follow on the cursor and on each other, without a hole between them."""
    for count, record in enumerate(records):
        if not record.cursor.follows(after):
            return records[:count]
        after = record.cursor
    return records
