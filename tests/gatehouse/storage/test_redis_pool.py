"""The connections to Redis: no request meets one that broke before it, or one to a server that was replaced."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cutting_proxy import CuttingProxy, cutting_proxy
from live_redis import RedisServer
from live_server import free_port
from redis.asyncio import Redis
from redis.exceptions import RedisError
from waiting import until

from gatehouse.storage.opening import redis_of
from gatehouse.storage.redis.script import Script
from gatehouse.storage.redis.sentinels import Sentinels, sentinels_of
from gatehouse.storage.valkey import executable

MANY = 40
COUNT = "return redis.call('INCR', KEYS[1])"
REPLICA = ("--replica-priority", "1", "--repl-diskless-sync-delay", "0")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    yield from running(tmp_path)


def running(folder: Path, *options: str) -> Iterator[RedisServer]:
    folder.mkdir(exist_ok=True)
    server = RedisServer(folder, "--save", "", "--appendonly", "no", *options)
    server.start()
    yield server
    server.stop()


async def used(client: Redis) -> None:
    """Have many connections open, and idle."""
    await asyncio.gather(*(client.blpop(["nothing"], 0.2) for _ in range(MANY)))


class TestIdleConnection:
    @pytest.mark.parametrize("protocol", ["", "?protocol=2", "?protocol=3"])
    async def test_that_redis_closed_fails_nobody(self, server: RedisServer, protocol: str) -> None:
        async with redis_of(server.url + protocol, 2 * MANY) as client:
            counting = Script(client, COUNT, 2)
            await counting(["n"], [])
            await used(client)
            server.stop()
            await asyncio.to_thread(server.start)
            calls = [client.incr("n") for _ in range(MANY)] + [counting(["n"], []) for _ in range(MANY)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert sorted(answers, key=str) == sorted(range(1, 2 * MANY + 1), key=str)

    async def test_that_says_nothing_any_more_is_replaced(
        self, server: RedisServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A firewall forgot it: nothing was closed."""
        monkeypatch.setattr("gatehouse.storage.redis.pool.CHECK_SECONDS", 0.1)
        monkeypatch.setattr("gatehouse.storage.redis.pool.COMMAND_SECONDS", 0.3)
        async with redis_of(server.url, 4) as client:
            await client.incr("n")
            [connection] = client.connection_pool._available_connections
            await asyncio.sleep(0.15)
            writer: Any = connection._writer
            writer.transport.pause_reading()
            assert await client.incr("n") == 2


@pytest.fixture
def others(tmp_path: Path) -> Iterator[RedisServer]:
    yield from running(tmp_path / "other")


@pytest.fixture
def moving(server: RedisServer) -> Iterator[CuttingProxy]:
    """An address behind which a test puts another server."""
    with cutting_proxy(server.port) as proxy:
        yield proxy


class TestServerThatIsNoPrimaryAnyMore:
    @pytest.mark.parametrize(("protocol", "stale"), [(2, "yes"), (3, "yes"), (2, "no")])
    async def test_is_left_for_the_one_at_its_address(
        self, server: RedisServer, others: RedisServer, moving: CuttingProxy, protocol: int, stale: str
    ) -> None:
        """It says that it takes no writes, or not even reads while it waits for the other."""
        url = f"redis://127.0.0.1:{moving.port}?protocol={protocol}"
        async with redis_of(url, 2 * MANY) as client, redis_of(server.url, 2) as old:
            counting = Script(client, COUNT, 2)
            await counting(["n"], [])
            await used(client)
            moving.target = others.port
            await old.config_set("replica-serve-stale-data", stale)
            await old.replicaof("127.0.0.1", str(others.port if stale == "yes" else free_port()))
            with pytest.raises(RedisError):  # each idle connection finds out by itself
                await client.incr("n")
            assert await counting(["n"], []) >= 1
            await until(lambda: written(client), 10)
            async with redis_of(others.url, 2) as new:
                assert int(await new.get("n") or 0) >= 1


async def written(client: Redis) -> bool:
    """Tell whether writes on every idle connection succeed."""
    answers = await asyncio.gather(*(client.incr("n") for _ in range(MANY)), return_exceptions=True)
    return not any(isinstance(answer, RedisError) for answer in answers)


@pytest.fixture
async def sentinel(
    tmp_path: Path, server: RedisServer, others: RedisServer
) -> AsyncIterator[tuple[str, RedisServer]]:
    """The URL of a Sentinel over a primary and its replica, and the Sentinel."""
    async with redis_of(others.url, 2) as replica:
        await replica.replicaof("127.0.0.1", str(server.port))
        await until(lambda: is_linked(replica))
    folder = tmp_path / "sentinel"
    folder.mkdir()
    port = free_port()
    (folder / "sentinel.conf").write_text(
        f"port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {server.port} 1\n"
        "sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n"
    )
    watching = RedisServer(folder)
    watching.port = port
    watching.options = ()
    process = await asyncio.create_subprocess_exec(
        str(executable()), "sentinel.conf", "--sentinel", cwd=folder, stdout=asyncio.subprocess.DEVNULL
    )
    async with Redis(port=port) as client:
        await until(lambda: knows_a_replica(client), 30)
    yield f"redis+sentinel://127.0.0.1:1,127.0.0.1:{port}/main/0", watching
    process.terminate()
    await process.wait()


async def is_linked(replica: Redis) -> bool:
    return bool((await replica.info("replication"))["master_link_status"] == "up")


async def knows_a_replica(client: Redis) -> bool:
    try:
        return len(await client.sentinel_slaves("main")) == 1
    except RedisError:
        return False


class TestSentinel:
    async def test_is_asked_which_server_is_the_primary(
        self, sentinel: tuple[str, RedisServer], server: RedisServer, others: RedisServer
    ) -> None:
        url, watching = sentinel
        async with redis_of(url, 2 * MANY) as client, Redis(port=watching.port) as asked:
            counting = Script(client, COUNT, 2)
            assert await counting(["n"], []) == 1
            await used(client)
            await asked.sentinel_failover("main")
            await until(lambda: is_replica(server), 30)
            await until(lambda: written(client), 30)
            await counting(["n"], [])
            async with redis_of(others.url, 2) as new:
                assert int(await new.get("n") or 0) > MANY


async def is_replica(server: RedisServer) -> bool:
    with suppress(RedisError):  # while it changes
        async with redis_of(server.url, 2) as client:
            return bool((await client.info("replication"))["role"] == "slave")
    return False


class TestUrl:
    def test_of_sentinels_is_told_apart_from_redis_s_own(self) -> None:
        found = sentinels_of("rediss+sentinel://me:a%40b@s1,s2:1234,[::1]:5/main/3?ssl_ca_certs=/ca")
        addresses = (("s1", 26379), ("s2", 1234), ("::1", 5))
        assert found == (Sentinels(addresses, "main"), "rediss://me:a%40b@sentinel/3?ssl_ca_certs=/ca")
        assert sentinels_of("redis://host/0") == (None, "redis://host/0")
        named = Sentinels((("host", 26379),), "the main/one")
        assert sentinels_of("redis+sentinel://host/the%20main%2Fone") == (named, "redis://sentinel/0")

    @pytest.mark.parametrize(
        "url", ["redis+sentinel:///main/0", "redis+sentinel://host", "redis+sentinel://host/"]
    )
    def test_without_hosts_or_name_is_refused(self, url: str) -> None:
        with pytest.raises(ValueError, match="redis\\+sentinel://"):
            sentinels_of(url)
