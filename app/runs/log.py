"""The run log: one Redis stream a run, whose entry ids are the event ids.

Redis refuses an entry whose id is not above the top one. A process that lost its lease therefore cannot
write into a newer attempt: its first append fails with LostRun.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from app.runs.events import Cursor, Record

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 0.010
FLUSH_EVENTS = 64
MAX_PENDING = 10_000
RETRY_SECONDS = 0.25


def log_key(run_id: str) -> str:
    return f"gh:{{{run_id}}}:log"


def entry(record: Record) -> dict[bytes | str, bytes | str]:
    """Return the fields of a stream entry."""
    return {"t": record.type, "d": record.data}


def parsed(entry_id: bytes, fields: dict[bytes, bytes]) -> Record:
    """Return a stream entry as a record."""
    attempt, _, sequence = entry_id.partition(b"-")
    return Record(Cursor(int(attempt), int(sequence)), fields[b"t"].decode(), fields[b"d"])


def reraise_cancellation() -> None:
    """Raise CancelledError if this task was cancelled: redis-py turns that into a connection error."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class RunLog:
    """Reads a run's log from Redis."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    async def after(self, run_id: str, cursor: Cursor, count: int = 500) -> list[Record]:
        """Return up to `count` records after `cursor`, oldest first."""
        found = await self.redis.xrange(log_key(run_id), min=f"({cursor}", max="+", count=count)
        return [parsed(entry_id, fields) for entry_id, fields in found]

    async def last(self, run_id: str) -> Cursor | None:
        """Return the cursor of the newest record, or None when there is no log."""
        found = await self.redis.xrevrange(log_key(run_id), count=1)
        return parsed(*found[0]).cursor if found else None


class LogWriter:
    """Appends the records of all runs of this process: one pipeline every 10 ms or 64 records.

    `lost` is called with the id of a run that a newer attempt took over.
    """

    def __init__(self, redis: Redis, lost: Callable[[str], None]) -> None:
        self.redis = redis
        self.lost = lost
        self._pending: list[tuple[str, Record]] = []
        self._some = asyncio.Event()
        self._many = asyncio.Event()
        self._written = asyncio.Condition()
        self._writing: list[tuple[str, Record]] = []

    @property
    def congested(self) -> bool:
        """True when Redis does not keep up, so that runs should wait with `room`."""
        return len(self._pending) >= MAX_PENDING

    def add(self, run_id: str, record: Record) -> None:
        """Have `record` appended soon. Never waits."""
        self._pending.append((run_id, record))
        if len(self._pending) >= FLUSH_EVENTS:
            self._many.set()
        self._some.set()

    async def room(self) -> None:
        """Return when the writer is not congested."""
        async with self._written:
            await self._written.wait_for(lambda: not self.congested)

    async def flushed(self, run_id: str) -> None:
        """Return when every record of this run is in Redis, or the run was lost."""
        async with self._written:
            await self._written.wait_for(
                lambda: all(run_id != waiting for waiting, _ in (*self._writing, *self._pending))
            )

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._some.wait()
            self._some.clear()
            self._many.clear()
            self._writing, self._pending = self._pending, []
            while self._writing:
                try:
                    await self._write()
                except (RedisError, OSError) as error:
                    reraise_cancellation()
                    log.warning("run log cannot be written", error=type(error).__name__)
                    await asyncio.sleep(RETRY_SECONDS)
            async with self._written:
                self._written.notify_all()
            # the first record of a burst went out at once; those that follow go together
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._many.wait(), FLUSH_SECONDS)

    async def _write(self) -> None:
        """Append everything in `_writing` in one pipeline, and take out of it what is done with."""
        pipeline = self.redis.pipeline(transaction=False)
        for run_id, record in self._writing:
            pipeline.xadd(log_key(run_id), entry(record), id=str(record.cursor))
        replies = await pipeline.execute(raise_on_error=False)
        refused: defaultdict[str, list[Record]] = defaultdict(list)
        for (run_id, record), reply in zip(self._writing, replies, strict=True):
            if isinstance(reply, ResponseError):
                refused[run_id].append(record)
            elif isinstance(reply, Exception):
                raise reply
        self._writing = []
        for run_id, records in refused.items():
            await self._judge(run_id, records)

    async def _judge(self, run_id: str, refused: list[Record]) -> None:
        """Tell a run that was taken over from one whose records an interrupted write already appended."""
        top = await RunLog(self.redis).last(run_id)
        if top is None or top.attempt != refused[0].cursor.attempt:
            self.lost(run_id)
            self._pending = [(other, record) for other, record in self._pending if other != run_id]
            return
        missing = [record for record in refused if record.cursor > top]
        self._writing += [(run_id, record) for record in missing]
