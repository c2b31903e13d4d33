"""A client of a Redis Cluster that is used as one of a single Redis.

redis-py's own `RedisCluster` says ASKING on another connection than the command it is for, closes every
connection when the cluster is down for a moment, and raises where callers should wait for a connection
(docs/adr/0028).
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import RedisError

from gatehouse.storage.redis.cluster.nodes import Nodes
from gatehouse.storage.redis.multiplexed import multiplexed
from gatehouse.storage.redis.script import COMMAND_SECONDS, Clustered
from gatehouse.storage.redis.slots import (
    TAGS,
    by_slot,
    placed_pattern,
    routed,
    tag_of_run,
    tagged,
    text_of,
    untagged,
)


class ClusterRedis(Redis, Clustered):  # type: ignore[misc]  # redis-py's own bases differ
    """Sends each command to the server that has its keys, whose names are those of a single Redis."""

    def __init__(self, nodes: Nodes) -> None:
        super().__init__(connection_pool=nodes.first.connection_pool)
        self.nodes = nodes
        self.shared = SharedByNode(nodes)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if args[0] == "DEL":
            deleted = [await self._execute("DEL", *keys) for keys in by_slot(map(text_of, args[1:]))]
            return sum(deleted)
        return await self._execute(*args, **options)

    async def _execute(self, *args: Any, **options: Any) -> Any:
        command, slot = routed(args)

        async def call(node: Redis, asking: bool, _seconds: float) -> Any:
            if not asking:
                return await node.execute_command(*command, **options)  # type: ignore[no-untyped-call]
            async with node.pipeline(transaction=False) as pipeline:
                pipeline.execute_command("ASKING")
                pipeline.execute_command(*command, **options)
                return (await pipeline.execute())[1]

        return await self.nodes.routed(slot, COMMAND_SECONDS, call, again=slot is None)

    def pipeline(
        self,
        transaction: bool = True,  # noqa: ARG002  # a cluster has none over several servers
        _shard_hint: str | None = None,
    ) -> Pipeline:
        """Return what collects commands."""
        return ClusterPipeline(self)

    async def scan_iter(  # type: ignore[override]  # of the client that does not wait
        self, match: Any = None, count: int | None = None, _type: str | None = None, **_options: Any
    ) -> AsyncIterator[bytes]:
        """Yield the names of all servers' keys; one that is moving may be named twice."""
        pattern = None if match is None else placed_pattern(text_of(match))
        for node in await self.nodes.primaries():
            async for key in node.scan_iter(match=pattern, count=count):
                yield untagged(text_of(key)).encode()

    async def write_somewhere(self, seconds: float, name: str, value: str, lasts_ms: int) -> None:
        """Return when one server has taken a write. Raises RedisError when none does in so many seconds."""
        writes = [
            asyncio.create_task(self.shared.call(seconds, "SET", key, value, "PX", lasts_ms))
            for key in everywhere(self, name)
        ]
        try:
            await first_of(writes)
        finally:
            for write in writes:
                write.cancel()  # it is obeyed all the same: a shared connection does not mind
            await asyncio.gather(*writes, return_exceptions=True)

    async def aclose(self, _close_connection_pool: bool | None = None) -> None:
        await self.nodes.aclose()


class ClusterPipeline(Pipeline):
    """Commands that leave together over shared connections; those of one slot follow each other.

    They bear being obeyed twice, and their answers are as Redis has them.
    """

    def __init__(self, cluster: ClusterRedis) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, False, None)
        self._cluster = cluster

    async def execute(self, _raise_on_error: bool = True) -> list[Any]:
        stack, self.command_stack = self.command_stack, []
        together: defaultdict[int | None, list[int]] = defaultdict(list)
        for at, (args, _) in enumerate(stack):
            together[routed(args)[1]].append(at)
        answers: list[Any] = [None] * len(stack)

        async def follow(those: list[int]) -> None:
            for at in those:
                answers[at] = await self._cluster.shared.call(COMMAND_SECONDS, *stack[at][0])

        done = await asyncio.gather(*map(follow, together.values()), return_exceptions=True)
        for failure in filter(None, done):  # when all others were sent
            raise failure
        return answers


class SharedByNode:
    """The shared connections of a process, one to each server."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes

    async def call(self, seconds: float, *command: Any) -> Any:
        """Return the answer of the server that has the command's keys. Raises RedisError."""
        sent, slot = routed(command)

        async def call(node: Redis, asking: bool, left: float) -> Any:
            line = multiplexed(node)
            return await (line.call_asking if asking else line.call)(left, *sent)

        return await self._nodes.routed(slot, seconds, call, again=True)


async def first_of(tasks: Iterable[asyncio.Task[Any]]) -> Any:
    """Return what the first task returns that succeeds; raise what the last raises when none does."""
    failure: BaseException | None = None
    for answer in asyncio.as_completed(tasks):
        try:
            return await answer
        except (RedisError, OSError) as error:
            failure = error
    raise failure or RedisError("nobody was asked")


def beside(redis: Redis, name: str, run_id: str) -> str:
    """Return the key of what is kept beside a run, in the same slot."""
    return tagged(tag_of_run(run_id), name) if isinstance(redis, ClusterRedis) else name


def everywhere(redis: Redis, name: str) -> Sequence[str]:
    """Return the keys of what is kept beside runs, of all shards."""
    return [tagged(tag, name) for tag in TAGS] if isinstance(redis, ClusterRedis) else [name]
