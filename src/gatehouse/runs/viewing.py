"""What a viewer is given: every record after its cursor, from this process, from Redis, or from the log."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace

from redis.asyncio import Redis

from gatehouse.plain_json import from_json
from gatehouse.problems.draining import Restarting
from gatehouse.problems.errors import NotFound
from gatehouse.runs.events import BEGINNING, Cursor, Gap, Record, record
from gatehouse.runs.lifecycle.conducting import Conductor
from gatehouse.runs.log.feed import Feed, unbroken
from gatehouse.runs.log.log import FLUSH_SECONDS, RunLog, reraise_cancellation
from gatehouse.runs.log.reader import LogReader
from gatehouse.runs.records import RunRecord, load

SAVED_POLL = 0.1


class Viewing:
    """Reads the runs of all processes, for the viewers of this one."""

    def __init__(self, redis: Redis, conductor: Conductor, reader: LogReader) -> None:
        self.redis = redis
        self.conductor = conductor
        self.reader = reader
        self.log = RunLog(redis)
        self.closed = False

    async def view(self, run_id: str, after: Cursor = BEGINNING) -> AsyncIterator[list[Record]]:
        """Yield the run's records after the cursor, in lists of those that are ready, up to `end`.

        No record is left out: what the log no longer has is replaced by a `gap` that holds the text. Whoever
        has seen that the run waits, and comes again, is shown what follows. Raises
        Restarting when this process ends before the run: another one reads on after the last record; and
        NotFound for a run that is gone.
        """
        cursor = after
        while True:
            if self.closed:
                raise Restarting
            execution = self.conductor.local.get(run_id)
            if execution is None or execution.feed.ended:  # then a cursor beyond the end finds nothing there
                run = await load(self.redis, run_id)
                if run is None:
                    raise NotFound("The run is not known any more: it expired or was deleted.")
                if run.finished or (run.state == "waiting" and cursor < run.last_event):
                    async for records in self._to_the_end(run, cursor):
                        yield records
                    return
            async with self._feed(run_id) as feed:
                async for records in self._follow(run_id, feed, cursor):
                    shown, ended = await self._without_waits(run_id, records)
                    if shown:
                        yield shown
                    cursor = records[-1].cursor
                    if ended:
                        return
            # what is missing is on its way, or the run has moved
            await asyncio.sleep(FLUSH_SECONDS)

    async def _to_the_end(self, run: RunRecord, cursor: Cursor) -> AsyncIterator[list[Record]]:
        """Yield the records of a run that is not executed now."""
        if cursor > run.last_event:  # of no record that there ever was: the end is still told
            cursor = Cursor(run.last_event.attempt, run.last_event.sequence - 1)
        while records := await self._logged(run.id, cursor):
            shown, _ = await self._without_waits(run.id, records)
            if shown:
                yield shown
            cursor = records[-1].cursor

    async def _without_waits(self, run_id: str, records: list[Record]) -> tuple[list[Record], bool]:
        """Return records without the ends of attempts after which the run has gone on; tell whether it ended.

        A client takes an `end` for the last there is.
        """
        ends = [item for item in records if item.type == "end"]
        if not ends:  # as nearly always, once a token
            return records, False
        if not any(waits(item) for item in ends):
            return records, True
        run = await load(self.redis, run_id)
        waiting_since = run.attempt if run is not None and run.state == "waiting" else None
        shown = [
            item
            for item in records
            if item.type != "end" or not waits(item) or item.cursor.attempt == waiting_since
        ]
        return shown, bool(shown) and shown[-1].type == "end"

    def close(self) -> None:
        """End every viewer's stream: another process reads on."""
        self.closed = True
        for execution in self.conductor.local.values():
            execution.feed.close()
        for mirror in self.reader.mirrors.values():
            mirror.feed.close()

    @contextmanager
    def watched(self, run_id: str) -> Iterator[None]:
        """Count the caller as a viewer of a run of this process."""
        execution = self.conductor.local.get(run_id)
        if execution is None:
            yield
            return
        execution.viewers += 1
        try:
            yield
        finally:
            execution.viewers -= 1
            execution.alone_since = time.monotonic()
            if not execution.viewers and not execution.run.grace:
                execution.halt("cancelled")

    @asynccontextmanager
    async def _feed(self, run_id: str) -> AsyncIterator[Feed]:
        """Yield where the run's newest records appear: in this process, or in Redis."""
        if run_id not in self.conductor.local and await self.conductor.attempts.owner_of(run_id) is None:
            await self.conductor.revive(run_id)  # does nothing to a run that has ended
        if execution := self.conductor.local.get(run_id):
            with self.watched(run_id):
                yield execution.feed
            return
        async with self.reader.following(run_id) as feed:
            run = await load(self.redis, run_id)
            if run is None or run.finished:
                feed.close()  # its end lies before the feed's base
            yield feed

    async def _follow(self, run_id: str, feed: Feed, cursor: Cursor) -> AsyncIterator[list[Record]]:
        """Yield records after the cursor from the log and the feed, until the feed is closed."""
        while True:
            if cursor < feed.base:
                records = await self._logged(run_id, cursor)
            else:
                records = feed.after(cursor)
            if records:
                yield records
                cursor = records[-1].cursor
            elif cursor < feed.base or feed.closed or feed.ended or self.closed:
                return
            else:
                reraise_cancellation()
                await feed.changed()

    async def _logged(self, run_id: str, cursor: Cursor) -> list[Record]:
        """Return the log's records after the cursor, up to a hole; or a `gap` when there is one at once."""
        records = await self.log.after(run_id, cursor)
        if not records and run_id in self.conductor.local:
            reraise_cancellation()
            await self.conductor.writer.of(run_id).flushed()  # they are on their way
            records = await self.log.after(run_id, cursor)
        if whole := unbroken(records, cursor):
            return whole
        if not records:
            return []
        oldest = records[0].cursor
        run = await self._with_text_before(run_id, oldest)
        if run is None:
            return []
        self.conductor.observer.gap()
        gap = Gap(requested=str(cursor), oldest=str(oldest), text=run.text)
        return [record(max(run.text_cursor, Cursor(oldest.attempt, oldest.sequence - 1)), gap)]

    async def _with_text_before(self, run_id: str, oldest: Cursor) -> RunRecord | None:
        """Return the run with the text that the records before `oldest` told.

        Where Redis has lost them in a failover, it is not saved yet: the process that executes the run does
        it with its next beat. One that is gone does not; then another attempt begins the text anew.
        """
        before = Cursor(oldest.attempt, oldest.sequence - 1)
        until = time.monotonic() + 2 * self.conductor.settings.lease
        while (run := await load(self.redis, run_id)) is not None:
            goes_on = run.state == "running" and run.attempt == oldest.attempt
            if run.text_cursor >= before or not goes_on or time.monotonic() > until:
                break
            await self.conductor.attempts.want_text(run_id)
            await asyncio.sleep(SAVED_POLL)
        return run

    async def so_far(self, run_id: str) -> list[Record]:
        """Return the run's records that are in the log now; what it no longer has is a `gap`."""
        found: list[Record] = []
        while records := await self._logged(run_id, found[-1].cursor if found else BEGINNING):
            found += records
        return found

    async def caught_up(self, run: RunRecord) -> RunRecord:
        """Return a run that another process executes, with the text that its log tells of."""
        text, cursor = run.text, run.text_cursor
        while records := await self.log.after(run.id, cursor):
            for item in records:
                if item.type == "restart":
                    text = ""
                elif item.type == "token":
                    text += from_json(item.data)["content"]
            cursor = records[-1].cursor
        return replace(run, text=text, text_cursor=cursor)


def waits(end: Record) -> bool:
    """Tell whether an `end` is that of an attempt alone: the run waits."""
    return end.type == "end" and from_json(end.data)["status"] == "waiting"
