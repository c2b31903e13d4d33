"""The run log: one Redis stream a run. An entry holds records that were ready together.

An entry's id is the event id of its last record. Redis refuses an entry whose id is not above the top one, so
a process that lost its lease cannot write into a newer attempt. A log is made with its run and never by an
append, so that one which was erased does not come back.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection
from typing import Any, Self

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gatehouse.runs import replies
from gatehouse.runs.events import Cursor, Record
from gatehouse.runs.log.dense import Datum, DenseRecords
from gatehouse.storage.redis.script import COMMAND_SECONDS, Script
from gatehouse.storage.redis.words import words_of

log = structlog.get_logger(__name__)

FLUSH_SECONDS = 0.010
FLUSH_EVENTS = 512  # a command costs as much as writing a hundred: more of them only while many come at once
ENTRY_RECORDS = 256
CLOSING_RECORDS = 16  # at most, of a run's end
MAX_PENDING = 10_000
RETRY_SECONDS = 0.25

# One command for the entries of all runs. Returns the numbers of those that were refused: a newer attempt has
# the log, an interrupted command had appended them already, or the log was erased.
APPEND = """
local refused = {}
for i = 1, #KEYS do
  local reply = redis.pcall('XADD', KEYS[i], 'NOMKSTREAM', ARGV[2 * i - 1], 'records', ARGV[2 * i])
  local failed = type(reply) == 'table' and tostring(reply.err)
  if failed and not string.find(failed, 'equal or smaller') then return reply end
  if failed or not reply then table.insert(refused, i) end
end
return refused
"""


def log_key(run_id: str) -> str:
    return f"gh:{{{run_id}}}:log"


def reraise_cancellation() -> None:
    """Raise CancelledError if this task was cancelled.

    A cancellation can get lost in a Redis client: redis-py turns it into a connection error.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class RunLog:
    """Reads a run's log from Redis."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    async def after(self, run_id: str, cursor: Cursor, entries: int = 100) -> list[Record]:
        """Return the records after `cursor` in the next entries, oldest first."""
        found = await self.redis.xrange(log_key(run_id), min=f"({cursor}", max="+", count=entries)
        return [record for record in replies.records(found) if record.cursor > cursor]

    async def last(self, run_id: str) -> Cursor | None:
        """Return the cursor of the newest record, or None when there is no log."""
        newest = replies.records(await self.redis.xrevrange(log_key(run_id), count=1))
        return newest[-1].cursor if newest else None


Key = tuple[str, int]  # the id and the attempt of a run
Entry = tuple[str, DenseRecords]


class LogWriter:
    """Appends the records of all runs of this process: one command every 10 ms or 512 records.

    `lost` is called with the id and the attempt of a run that a newer attempt took over, or that was erased.
    """

    def __init__(self, redis: Redis, lost: Callable[[str, int], None]) -> None:
        self.redis = redis
        self.lost = lost
        self._append = Script(redis, APPEND, COMMAND_SECONDS)
        self._pending: dict[Key, DenseRecords] = {}
        self._count = 0
        self._writing: list[Entry] = []
        self._under_way: Collection[Key] = ()  # whose records those are
        self._some = asyncio.Event()
        self._many = asyncio.Event()
        self._written = asyncio.Condition()
        self._begun = 0  # batches
        self._done = 0

    def of(self, run_id: str) -> Self:  # noqa: ARG002  # a cluster has one for each shard
        """Return the writer of a run's records."""
        return self

    @property
    def congested(self) -> bool:
        """True when Redis does not keep up, so that runs should wait with `room`."""
        return self._count >= MAX_PENDING

    @property
    def pending(self) -> int:
        """How many records are not on their way yet."""
        return self._count

    def add(self, run_id: str, record: Record) -> None:
        """Have `record` appended soon. Never waits."""
        attempt, sequence = record.cursor
        self.put((run_id, attempt), sequence, record.type, record.data)

    def put(self, key: Key, sequence: int, kind: str, datum: Datum) -> None:
        """Have a record of this sequence appended soon, which follows on the run's last one. Never waits."""
        pending = self._pending.get(key)
        if pending is None:
            pending = self._pending[key] = DenseRecords(key[1], sequence - 1)
        pending.types.append(kind)
        pending.data.append(datum)
        self._count += 1
        if self._count == 1:
            self._some.set()
        elif self._count == FLUSH_EVENTS:
            self._many.set()

    async def room(self) -> None:
        """Return when the writer is not congested."""
        async with self._written:
            await self._written.wait_for(lambda: not self.congested)

    async def flushed(self) -> None:
        """Return when every record that was added before this call is in Redis, or its run was lost."""
        self._many.set()
        batch = self._begun + bool(self._pending)
        async with self._written:
            await self._written.wait_for(lambda: self._done >= batch)

    async def taken(self, run_id: str, attempt: int) -> list[Record]:
        """Return the records of a run that are not in Redis, for the caller to append with its end.

        A run that ends before its first flush has a log with one entry.
        """
        key = (run_id, attempt)
        while len(self._pending.get(key, ())) > ENTRY_RECORDS - CLOSING_RECORDS:
            await self.flushed()
        if key in self._under_way:
            async with self._written:
                await self._written.wait_for(lambda: key not in self._under_way)
        pending = self._pending.pop(key, None)
        if pending is None:
            return []
        self._count -= len(pending)
        return pending.records()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            reraise_cancellation()
            await self._some.wait()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):  # wait_for would swallow a cancellation
                    await self._many.wait()
            self._some.clear()
            self._many.clear()
            pending, self._pending, self._count = self._pending, {}, 0
            self._under_way = pending.keys()
            self._begun += 1
            self._writing = [
                (run_id, some)
                for (run_id, _), records in pending.items()
                for some in records.pieces(ENTRY_RECORDS)
            ]
            while self._writing:
                try:
                    await self._write()
                except (RedisError, OSError) as error:
                    reraise_cancellation()
                    log.warning("run log cannot be written", error=type(error).__name__, **words_of(error))
                    await asyncio.sleep(RETRY_SECONDS)
            self._done = self._begun
            self._under_way = ()
            async with self._written:
                self._written.notify_all()

    async def _write(self) -> None:
        """Append everything in `_writing`, and take out of it what is done with."""
        keys = [log_key(run_id) for run_id, _ in self._writing]
        arguments: list[Any] = []
        for _, records in self._writing:
            arguments += [str(records.top), records.packed()]
        refused = [self._writing[number - 1] for number in await self._append(keys, arguments)]
        doubtful = {(run_id, records.attempt) for run_id, records in refused}
        lost = [(run_id, attempt) for run_id, attempt in doubtful if not await self._holds(run_id, attempt)]
        self._writing = []  # not before: what is interrupted in between is written and judged again
        for run_id, attempt in lost:
            self.lost(run_id, attempt)

    async def _holds(self, run_id: str, attempt: int) -> bool:
        """Tell an entry that an interrupted write had appended from one of a run that was taken over."""
        top = await RunLog(self.redis).last(run_id)
        return top is not None and top.attempt == attempt
