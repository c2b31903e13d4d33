"""Follows the runs of other processes: one blocking XREAD for all of their viewers here.

On a cluster it is one for each shard that has such a run.
"""

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
from gatehouse.storage.redis.cluster.client import beside, everywhere
from gatehouse.storage.redis.words import words_of

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
        controls = dict.fromkeys(everywhere(redis, control_key(owner)), "0-0")
        self._heard = controls  # up to which id, of each stream of messages to this process
        self._some = {control: asyncio.Event() for control in controls}  # viewers of runs beside it
        self._some[beside(redis, control_key(owner), owner)].set()  # here other processes ask

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
                control = beside(self.redis, control_key(self.owner), run_id)
                self._some[control].set()
                await self.tell(self.owner, "look", run_id)  # ends the XREAD that does not know of it yet
            yield mirror.feed
        finally:
            mirror.viewers -= 1
            if not mirror.viewers and self.mirrors.get(run_id) is mirror:
                del self.mirrors[run_id]

    async def tell(self, owner: str, what: str, run_id: str) -> None:
        """Send a message to a process: `cancel`, or `look` to this one, where it reads of the run."""
        key = beside(self.redis, control_key(owner), run_id if what == "look" else owner)
        await self.redis.xadd(key, {what: run_id}, maxlen=CONTROL_KEEP, approximate=True)
        await self.redis.expire(key, 3600)

    async def run(self) -> None:
        """Read until cancelled."""
        await asyncio.gather(*(self._run(control) for control in self._some))

    async def _run(self, control: str) -> None:
        """Read a stream of messages to this process, and the logs of the runs beside it."""
        while True:
            try:
                await self._some[control].wait()
                await self._read(control)
                reraise_cancellation()
            except (RedisError, OSError) as error:
                reraise_cancellation()
                log.warning("run log cannot be read", error=type(error).__name__, **words_of(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _read(self, control: str) -> None:
        own = control_key(self.owner)
        followed = {
            log_key(run_id): mirror.feed
            for run_id, mirror in self.mirrors.items()
            if beside(self.redis, own, run_id) == control
        }
        if not followed and control != beside(self.redis, own, self.owner):
            self._some[control].clear()
            return
        streams: dict[KeyT, StreamIdT] = {key: str(feed.top) for key, feed in followed.items()}
        streams[control] = self._heard[control]
        found = await self.redis.xread(streams, block=BLOCK_MS, count=READ_AT_ONCE)
        for key, entries in replies.streams(found):
            if key == own:
                self._hear(control, entries)
            else:
                followed[key].extend(replies.records(entries))

    def _hear(self, control: str, entries: list[tuple[bytes, dict[bytes, bytes]]]) -> None:
        for entry_id, fields in entries:
            self._heard[control] = entry_id.decode()
            if b"cancel" in fields:
                self.on_cancel(fields[b"cancel"].decode())
