"""A client of a Redis Cluster: every command reaches the server that has its keys, also while that changes."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from live_cluster import Cluster, running_cluster
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gatehouse.settings import Settings
from gatehouse.storage.opening import CannotStart, open_redis
from gatehouse.storage.redis.cluster.client import ClusterRedis, beside, everywhere
from gatehouse.storage.redis.cluster.nodes import Nodes
from gatehouse.storage.redis.script import Script
from gatehouse.storage.redis.slots import (
    SHARDS,
    SLOTS,
    TAGS,
    placed,
    placed_pattern,
    routed,
    slot_of,
    tag_of_run,
    untagged,
)

RUN = "0198c0de-0000-7000-8000-000000000001"
RUN_KEY = f"gh:{{{RUN}}}:run"
ADD = "return {redis.call('INCRBY', KEYS[1], ARGV[1]), KEYS[2] == '' and 1 or 0}"


class TestSlots:
    def test_of_shards_are_spread_evenly(self) -> None:
        slots = [slot_of(f"{{{tag}}}") for tag in TAGS]
        assert [slot * SHARDS // SLOTS for slot in slots] == list(range(SHARDS))

    def test_of_runs_are_spread(self) -> None:
        tags = {tag_of_run(f"0198c0de-0000-7000-8000-{number:012}") for number in range(1000)}
        assert tags == set(TAGS)

    @pytest.mark.parametrize("name", [RUN_KEY, f"gh:thread:{'a' * 64}:queue", "gh:session:abc"])
    def test_names_can_be_read_back(self, name: str) -> None:
        assert untagged(placed(name)) == name
        assert placed(placed(name)) == placed(name)

    def test_of_a_runs_keys_are_one(self) -> None:
        names = [RUN_KEY, f"gh:{{{RUN}}}:log", f"{{{tag_of_run(RUN)}}}gh:runs:active"]
        assert len({slot_of(placed(name)) for name in names}) == 1

    def test_of_a_threads_keys_are_one(self) -> None:
        names = [f"gh:thread:{'a' * 64}", f"gh:thread:{'a' * 64}:queue"]
        assert len({slot_of(placed(name)) for name in names}) == 1

    def test_of_commands_are_those_of_their_keys(self) -> None:
        key, slot = placed(RUN_KEY), slot_of(placed(RUN_KEY))
        assert routed(["GET", RUN_KEY]) == (["GET", key], slot)
        assert routed(["EVALSHA", "x", 2, RUN_KEY, "", "a"]) == (["EVALSHA", "x", 2, key, key, "a"], slot)
        read = ["XREAD", "BLOCK", 5, b"STREAMS", RUN_KEY, "0-1"]
        assert routed(read) == ([*read[:4], key, "0-1"], slot)
        assert routed(["TIME"]) == (["TIME"], None)

    def test_patterns_find_placed_names(self) -> None:
        assert placed_pattern("gh:{*}:run") == "{*}gh:{*}:run"
        assert placed_pattern("gh:session:*") == "gh:session:*"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
async def redis(cluster: Cluster) -> AsyncIterator[ClusterRedis]:
    client = ClusterRedis(Nodes(cluster.url, 20))
    yield client
    await client.aclose()
    cluster.empty()


class TestClient:
    async def test_is_used_as_one_of_a_single_redis(self, redis: ClusterRedis) -> None:
        for number in range(50):
            await redis.set(f"gh:session:{number}", number)
        assert [await redis.get(f"gh:session:{number}") for number in range(50)] == [
            str(number).encode() for number in range(50)
        ]
        found = {key async for key in redis.scan_iter("gh:session:*")}
        assert found == {f"gh:session:{number}".encode() for number in range(50)}
        assert await redis.delete(*found) == 50
        assert await redis.time()

    async def test_calls_scripts_where_their_keys_are(self, redis: ClusterRedis) -> None:
        add = Script(redis, ADD, 4)
        for number in range(50):
            assert await add((f"gh:{{{number}}}:run", ""), (2,)) == [2, 1]

    async def test_sends_commands_together(self, redis: ClusterRedis) -> None:
        pipeline = redis.pipeline(transaction=False)
        for number in range(20):
            pipeline.set(f"gh:session:{number}", number)
            pipeline.exists(f"gh:session:{number}")
        assert await pipeline.execute() == [b"OK", 1] * 20

    async def test_keeps_what_is_beside_a_run_with_it(self, redis: ClusterRedis) -> None:
        both = Script(redis, "redis.call('SET', KEYS[1], 1); redis.call('SADD', KEYS[2], 1); return 1", 4)
        for number in range(20):
            assert await both((f"gh:{{{number}}}:run", beside(redis, "gh:runs:all", str(number))), ())
        assert sum([await redis.scard(key) for key in everywhere(redis, "gh:runs:all")]) > 1

    async def test_answers_while_no_server_is_known_to_have_a_slot(
        self, cluster: Cluster, redis: ClusterRedis
    ) -> None:
        await redis.nodes.primaries()
        redis.nodes._primaries.clear()
        redis.nodes._refreshed = float("-inf")
        assert await redis.set(RUN_KEY, 1)


class TestMoving:
    async def test_slot_is_written_and_read_throughout(self, cluster: Cluster, redis: ClusterRedis) -> None:
        """Half of the keys are on the one server, half on the other, and new ones come: nothing is lost."""
        slot, tag = slot_of(placed(RUN_KEY)), f"{{{tag_of_run(RUN)}}}"
        source = cluster.primary_of(slot)
        target = next(server for server in cluster.servers if server.is_primary and server is not source)
        add = Script(redis, ADD, 4)
        names = [f"{tag}gh:counter:{number}" for number in range(40)]
        for name in names:
            await add((name, ""), (1,))
        with cluster.moving(slot, target) as move:
            move(20)
            for name in names:
                assert await add((name, ""), (1,)) == [2, 1]
                assert await redis.get(name) == b"2"
            assert await redis.set(f"{tag}gh:counter:new", 7)
            assert await redis.get(f"{tag}gh:counter:new") == b"7"
            both = Script(redis, "return redis.call('EXISTS', KEYS[1], KEYS[2])", 4)
            later = asyncio.create_task(both((names[0], f"{tag}gh:counter:new"), ()))  # TRYAGAIN until then
            await asyncio.sleep(0.1)
        assert await later == 2
        assert [await redis.get(name) for name in names] == [b"2"] * 40

    async def test_primary_that_steps_down_is_left(self, cluster: Cluster, redis: ClusterRedis) -> None:
        slot = slot_of(placed(RUN_KEY))
        await redis.set(RUN_KEY, 0)
        before = cluster.primary_of(slot)
        add = Script(redis, ADD, 4)
        cluster.replica_of(before).say("CLUSTER FAILOVER")
        counted = 0
        while before.is_primary or counted < 100:
            await add((RUN_KEY, ""), (1,))
            counted += 1
        assert await redis.get(RUN_KEY) == str(counted).encode()
        cluster.wait()

    async def test_primary_that_is_killed_is_replaced(self, tmp_path: Path) -> None:
        with running_cluster(tmp_path) as cluster:
            redis = ClusterRedis(Nodes(cluster.url, 20))
            slot = slot_of(placed(RUN_KEY))
            await redis.set(RUN_KEY, 1)
            await redis.nodes.primaries()
            cluster.primary_of(slot).redis.execute_command("WAIT", 1, 1000)  # type: ignore[no-untyped-call]
            cluster.primary_of(slot).kill()
            await redis.write_somewhere(2, "gh:ready", "me", 1000)  # other servers are there
            add = Script(redis, ADD, 20)
            assert (await add((RUN_KEY, ""), (1,)))[0] >= 2
            cluster.stop()
            with pytest.raises(RedisError):
                await redis.write_somewhere(1, "gh:ready", "me", 1000)
            await redis.aclose()


class TestOpening:
    def settings(self, url: str) -> Settings:
        return Settings(_env_file=None, redis_url=url)

    async def test_by_the_urls_of_its_servers(self, cluster: Cluster) -> None:
        async with open_redis(self.settings(cluster.url)) as redis:
            assert isinstance(redis, ClusterRedis)
            assert await redis.set(RUN_KEY, 1)

    async def test_by_the_plain_url_of_one_server(self, cluster: Cluster) -> None:
        for server in cluster.servers:
            async with open_redis(self.settings(f"redis://127.0.0.1:{server.port}/0")) as redis:
                assert isinstance(redis, ClusterRedis)
                assert await redis.set(RUN_KEY, 1)

    async def test_when_the_first_server_named_is_away(self, cluster: Cluster) -> None:
        url = cluster.url.replace("redis+cluster://", "redis+cluster://127.0.0.1:1,")
        async with open_redis(self.settings(url)) as redis:
            assert await redis.set(RUN_KEY, 1)

    @pytest.mark.parametrize(
        "url", ["redis+cluster://", "redis+cluster://127.0.0.1:1/3", "redis+cluster://:hunter2@127.0.0.1:x"]
    )
    async def test_is_refused_by_a_url_that_cannot_be_used(self, url: str) -> None:
        with pytest.raises(CannotStart, match="cannot be used") as refused:
            async with open_redis(self.settings(url)):
                pass
        assert "hunter2" not in str(refused.value)

    async def test_a_single_redis_stays_one(self, redis_url: str) -> None:
        async with open_redis(self.settings(redis_url)) as redis:
            assert type(redis) is Redis


async def test_errors_that_are_no_redirections_are_raised(redis: ClusterRedis) -> None:
    await redis.set(RUN_KEY, "text")
    with pytest.raises(RedisError, match="not an integer"):
        await redis.incr(RUN_KEY)
