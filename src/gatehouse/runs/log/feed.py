"""The newest records of a run in memory, for the viewers in this process."""

import asyncio

from gatehouse.runs.events import BEGINNING, Cursor, Record


class Feed:
    """Holds a run's last `size` records. Viewers keep a cursor each, and no buffer of their own.

    `base` is the cursor after which the feed has every record: a viewer that is behind it reads the log.

    The records are those of one attempt, whose sequences are dense, and are kept as their types and their
    JSON: a Record for each would be two objects a token for the garbage collector to go through.
    """

    def __init__(self, size: int, base: Cursor = BEGINNING) -> None:
        self.size = size
        self.base = base
        self.closed = False
        self._attempt = base.attempt
        self._before = base.sequence  # that of the record before the first one here
        self._types: list[str] = []
        self._data: list[bytes] = []
        self._waiting: list[asyncio.Future[None]] = []

    @property
    def top(self) -> Cursor:
        """The cursor of the newest record."""
        return Cursor(self._attempt, self._before + len(self._types)) if self._types else self.base

    @property
    def ended(self) -> bool:
        """True when the run's last record is here."""
        return bool(self._types) and self._types[-1] == "end"

    def append(self, record: Record) -> None:
        """Add the record that follows on the newest, and wake the viewers."""
        if record.cursor.attempt != self._attempt:
            self._begin(record.cursor.attempt)
        self._types.append(record.type)
        self._data.append(record.data)
        if len(self._types) > 2 * self.size:  # half at once, which costs less than one at a time
            self._drop(self.size)
        if self._waiting:
            self._wake()

    def extend(self, records: list[Record]) -> None:
        """Add records that were read from the log; what the log had lost before them is behind the base."""
        for record in records:
            attempt, sequence = record.cursor
            if not record.cursor.follows(self.top):
                self.base = Cursor(attempt, sequence - 1)
                self._attempt, self._before = self.base
                self._types.clear()
                self._data.clear()
            self.append(record)

    def close(self) -> None:
        """Say that no record will come any more; viewers look elsewhere for the rest."""
        self.closed = True
        self._wake()

    def after(self, cursor: Cursor) -> list[Record]:
        """Return the records after `cursor`, which must not lie before `base`."""
        attempt, before = self._attempt, self._before
        first = max(0, cursor.sequence - before) if cursor.attempt == attempt else 0
        if cursor.attempt > attempt or first >= len(self._types):
            return []
        kept = zip(self._types[first:], self._data[first:], strict=True)
        return [
            Record(Cursor(attempt, sequence), kind, data)
            for sequence, (kind, data) in enumerate(kept, before + first + 1)
        ]

    async def changed(self) -> None:
        """Return when a record has come or the feed was closed."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        finally:
            if not future.done() or future.cancelled():
                self._waiting = [waiting for waiting in self._waiting if waiting is not future]

    def _begin(self, attempt: int) -> None:
        """Make room for the records of the next attempt: those before are in the log alone."""
        if self._types:
            self.base = Cursor(attempt, 0)
            self._types.clear()
            self._data.clear()
        self._attempt, self._before = attempt, 0

    def _drop(self, but: int) -> None:
        """Forget all records but the last ones."""
        gone = len(self._types) - but
        del self._types[:gone]
        del self._data[:gone]
        self._before += gone
        self.base = Cursor(self._attempt, self._before)

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
