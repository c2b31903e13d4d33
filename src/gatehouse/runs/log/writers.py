"""The writers of a process: one, or on a cluster one for each shard.

There a server that is away holds up no other's runs.
"""

import asyncio
from collections.abc import Callable

from redis.asyncio import Redis

from gatehouse.runs.log.log import LogWriter
from gatehouse.storage.redis.script import Clustered
from gatehouse.storage.redis.slots import TAGS, tag_of_run

Lost = Callable[[str, int], None]  # as `LogWriter` has it


class LogWriters:
    """Append the records of all runs of this process to the logs of a cluster."""

    def __init__(self, redis: Redis, lost: Lost) -> None:
        self._writers = {tag: LogWriter(redis, lost) for tag in TAGS}

    def of(self, run_id: str) -> LogWriter:
        """Return the writer of a run's records."""
        return self._writers[tag_of_run(run_id)]

    @property
    def pending(self) -> int:
        """How many records are not on their way yet."""
        return sum(writer.pending for writer in self._writers.values())

    async def run(self) -> None:
        """Write until cancelled."""
        await asyncio.gather(*(writer.run() for writer in self._writers.values()))


def log_writers(redis: Redis, lost: Lost) -> LogWriter | LogWriters:
    """Return what appends the records of all runs of this process."""
    return LogWriters(redis, lost) if isinstance(redis, Clustered) else LogWriter(redis, lost)
