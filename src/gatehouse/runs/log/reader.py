"""Follows the runs of other processes: one blocking XREAD for all of their viewers here."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis.typing import KeyT, StreamIdT

from gatehouse.runs import replies
from gatehouse.runs.events import BEGINNING
from gatehouse.runs.log.feed import Feed
from gatehouse.runs.log.log import RETRY_SECONDS, RunLog, log_key, reraise_cancellation
from gatehouse.storage.redis_words import words_of

log = structlog.get_logger(__name__)

BLOCK_MS = 1000
READ_AT_ONCE = 1000  # entries of one stream
CONTROL_KEEP = 1000  # messages of a control stream; each is read within a second


def control_key(owner: str) -> str:
    return f"gh:process:{owner}"


@dataclass(slots=True)
class Mirror:
    """The feed of a run that another process executes, and how many viewers follow it here."""

    feed: Feed
    viewers: int = 0


class LogReader:
    """Fills mirrors from Redis, and hears what other processes ask of this one (`owner`).

    `on_cancel` is called with a run's id when another process wants it stopped.
    """

    def __init__(self, redis: Redis, owner: str, feed_size: int, on_cancel: Callable[[str], None]) -> None:
        self.redis = redis
        self.owner = owner
        self.feed_size = feed_size
        self.on_cancel = on_cancel
        self.mirrors: dict[str, Mirror] = {}
        self._heard = "0-0"

    @asynccontextmanager
    async def following(self, run_id: str) -> AsyncIterator[Feed]:
        """Yield the feed of a run elsewhere; it has every record that came after this call."""
        mirror = self.mirrors.get(run_id)
        if mirror is None:
            base = await RunLog(self.redis).last(run_id) or BEGINNING
            mirror = self.mirrors.setdefault(run_id, Mirror(Feed(self.feed_size, base)))
        mirror.viewers += 1  # before anything is awaited: the last viewer to leave takes the mirror away
        try:
            if mirror.viewers == 1:
                await self.tell(self.owner, "look", run_id)  # ends the XREAD that does not know of it yet
            yield mirror.feed
        finally:
            mirror.viewers -= 1
            if not mirror.viewers and self.mirrors.get(run_id) is mirror:
                del self.mirrors[run_id]

    async def tell(self, owner: str, what: str, run_id: str) -> None:
        """Send a message to a process: `cancel` or `look`."""
        key = control_key(owner)
        await self.redis.xadd(key, {what: run_id}, maxlen=CONTROL_KEEP, approximate=True)
        await self.redis.expire(key, 3600)

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                await self._read()
                reraise_cancellation()
            except (RedisError, OSError) as error:
                reraise_cancellation()
                log.warning("run log cannot be read", error=type(error).__name__, **words_of(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _read(self) -> None:
        followed = {log_key(run_id): mirror.feed for run_id, mirror in self.mirrors.items()}
        control = control_key(self.owner)
        streams: dict[KeyT, StreamIdT] = {key: str(feed.top) for key, feed in followed.items()}
        streams[control] = self._heard
        found = await self.redis.xread(streams, block=BLOCK_MS, count=READ_AT_ONCE)
        for key, entries in replies.streams(found):
            if key == control:
                self._hear(entries)
            else:
                followed[key].extend(replies.records(entries))

    def _hear(self, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        for entry_id, fields in entries:
            self._heard = entry_id.decode()
            if b"cancel" in fields:
                self.on_cancel(fields[b"cancel"].decode())
