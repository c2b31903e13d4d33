"""The connection that callers of Redis share: every caller has its own answer, whatever becomes of the others."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import ResponseError

from bench.processes import Server, redis_ready, redis_server
from gatehouse.settings import Settings
from gatehouse.storage.opening import redis_of
from gatehouse.storage.redis.multiplexed import NoAnswer, multiplexed
from gatehouse.storage.redis.words import words_of

SECONDS = 5.0
SHORT = 0.5


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A Redis of the test's own, to be frozen and killed."""
    server = redis_server(tmp_path)
    server.start()
    await redis_ready(server)
    yield server
    server.kill()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Redis]:
    async with redis_of(f"redis://127.0.0.1:{server.port}/0", 100) as client:
        yield client


async def connections(client: Redis) -> int:
    return int((await client.info("clients"))["connected_clients"])


class TestAnswers:
    async def test_are_each_caller_s_own_over_one_connection(self, redis: Redis) -> None:
        before = await connections(redis)
        shared = multiplexed(redis)
        calls = [shared.call(SECONDS, "ECHO", str(number)) for number in range(500)]
        assert await asyncio.gather(*calls) == [str(number).encode() for number in range(500)]
        assert await connections(redis) == before + 1

    async def test_of_every_size(self, redis: Redis) -> None:
        texts = [bytes([65 + number]) * 3**number for number in range(13)]
        answers = await asyncio.gather(*(multiplexed(redis).call(SECONDS, "ECHO", text) for text in texts))
        assert answers == texts

    async def test_that_are_errors_are_raised_where_they_belong(self, redis: Redis) -> None:
        shared = multiplexed(redis)
        calls = [shared.call(SECONDS, *command) for command in (["ECHO", "a"], ["NONSENSE"], ["ECHO", "b"])]
        first, error, last = await asyncio.gather(*calls, return_exceptions=True)
        assert (first, last) == (b"a", b"b")
        assert isinstance(error, ResponseError)

    async def test_for_nobody_are_dropped(self, redis: Redis) -> None:
        shared = multiplexed(redis)
        await shared.call(SECONDS, "PING")
        leaves = [asyncio.ensure_future(shared.call(SECONDS, "ECHO", "gone")) for _ in range(3)]
        stays = asyncio.ensure_future(shared.call(SECONDS, "ECHO", "here"))
        await asyncio.sleep(0)
        for call in leaves:
            call.cancel()
        assert await stays == b"here"
        assert all(call.cancelled() for call in leaves)
        assert await shared.call(SECONDS, "ECHO", "next") == b"next"

    async def test_come_with_messages_that_nobody_asked_for(self, redis_url: str) -> None:
        async with Redis.from_url(redis_url, protocol=3) as client:
            shared = multiplexed(client)
            connection = await shared.call(SECONDS, "CLIENT", "ID")
            await shared.call(SECONDS, "CLIENT", "TRACKING", "ON", "BCAST")
            await client.set("changed", "now")
            assert await shared.call(SECONDS, "ECHO", "own") == b"own"
            assert await shared.call(SECONDS, "GET", "changed") == b"now"
            assert await shared.call(SECONDS, "CLIENT", "ID") == connection

    async def test_with_the_smallest_pool_leave_connections_to_others(self, redis_url: str) -> None:
        async with redis_of(redis_url, 4) as client:
            calls = [multiplexed(client).call(SECONDS, "PING") for _ in range(40)]
            await asyncio.gather(*calls, *(client.ping() for _ in range(40)))
        with pytest.raises(ValueError, match="redis_pool"):
            Settings(_env_file=None, redis_pool=3)


class TestConnection:
    async def test_that_redis_closed_is_replaced(self, redis: Redis, redis_url: str) -> None:
        shared = multiplexed(redis)
        async with Redis.from_url(redis_url) as operator:
            for _ in range(3):
                assert await shared.call(SECONDS, "PING") == b"PONG"
                await operator.client_kill_filter(_type="normal", skipme=True)
            before = await connections(operator)
            assert await shared.call(SECONDS, "PING") == b"PONG"
            assert await connections(operator) == before + 1  # those that were closed were given back

    async def test_that_is_replaced_gives_its_place_in_the_pool_back(self, redis_url: str) -> None:
        async with redis_of(redis_url, 2) as client, Redis.from_url(redis_url) as operator:
            for _ in range(4):
                connection = await multiplexed(client).call(SECONDS, "CLIENT", "ID")
                await operator.client_kill_filter(_id=str(connection))

    async def test_that_breaks_under_calls_makes_them_again(self, server: Server, client: Redis) -> None:
        shared = multiplexed(client)
        await shared.call(SECONDS, "PING")
        server.send(signal.SIGSTOP)
        calls = [asyncio.ensure_future(shared.call(SECONDS, "ECHO", str(number))) for number in range(10)]
        await asyncio.sleep(0.1)
        server.kill()
        server.start()
        answers = await asyncio.gather(*calls, return_exceptions=True)
        if any(isinstance(answer, RedisConnectionError) for answer in answers):  # it was not back yet
            await redis_ready(server)
            answers = await asyncio.gather(*(shared.call(SECONDS, "ECHO", str(n)) for n in range(10)))
        assert answers == [str(number).encode() for number in range(10)]

    async def test_to_nobody_is_an_error(self, server: Server, client: Redis) -> None:
        shared = multiplexed(client)
        await shared.call(SECONDS, "PING")
        server.kill()
        for _ in range(2):
            with pytest.raises(RedisConnectionError):
                await shared.call(SECONDS, "PING")

    async def test_to_what_is_no_redis_is_an_error(self) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while data := await reader.read(1000):
                asked = b"PING" in data
                writer.write(b"HTTP/1.1 400 Bad Request\r\n" if asked else b"+OK\r\n" * data.count(b"*"))
            writer.close()

        async with await asyncio.start_server(talk, "127.0.0.1", 0) as odd:
            port = odd.sockets[0].getsockname()[1]
            async with Redis(host="127.0.0.1", port=port, protocol=2) as client, asyncio.timeout(SECONDS):
                with pytest.raises(RedisConnectionError):
                    await multiplexed(client).call(SECONDS, "PING")

    async def test_ends_with_its_client(self, server: Server) -> None:
        url = f"redis://127.0.0.1:{server.port}/0"
        async with Redis.from_url(url) as operator:
            before = await connections(operator)
            async with Redis.from_pool(BlockingConnectionPool.from_url(url)) as client:
                await multiplexed(client).call(SECONDS, "PING")
            await eventually(lambda: connections(operator), before)


class TestFrozenRedis:
    async def test_is_waited_for_no_longer_than_a_call_may_take(self, server: Server, client: Redis) -> None:
        shared = multiplexed(client)
        await shared.call(SECONDS, "PING")
        server.send(signal.SIGSTOP)
        began = time.monotonic()
        async with asyncio.timeout(10 * SHORT):
            answers = await asyncio.gather(
                *(shared.call(SHORT, "INCR", "counted") for _ in range(20)), return_exceptions=True
            )
        assert {type(answer) for answer in answers} == {NoAnswer}
        assert time.monotonic() - began >= SHORT
        server.send(signal.SIGCONT)
        assert await shared.call(SECONDS, "ECHO", "own") == b"own"
        assert int(await client.get("counted") or 0) <= 20  # no call was made twice

    async def test_is_asked_over_a_new_connection_when_it_stays_silent(
        self, server: Server, client: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.storage.redis.multiplexed.SILENCE", SHORT)
        shared = multiplexed(client)
        first = await shared.call(SECONDS, "CLIENT", "ID")
        server.send(signal.SIGSTOP)
        for _ in range(3):  # of the old connection, and of one that cannot be opened
            with pytest.raises(TimeoutError):
                await shared.call(2 * SHORT, "PING")
        server.send(signal.SIGCONT)
        assert await shared.call(SECONDS, "CLIENT", "ID") > first

    async def test_is_given_up_for_those_who_would_wait_longer(
        self, server: Server, client: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.storage.redis.multiplexed.SILENCE", SHORT)
        shared = multiplexed(client)
        await shared.call(SECONDS, "PING")
        server.send(signal.SIGSTOP)
        async with asyncio.timeout(10 * SHORT):
            with pytest.raises(NoAnswer):
                await shared.call(60, "PING")

    async def test_keeps_the_time_of_each_call(self, server: Server, client: Redis) -> None:
        shared = multiplexed(client)
        await shared.call(SECONDS, "PING")
        server.send(signal.SIGSTOP)
        patient = asyncio.ensure_future(shared.call(60, "ECHO", "late"))
        with pytest.raises(TimeoutError):
            await shared.call(SHORT, "ECHO", "soon")
        assert not patient.done()
        server.send(signal.SIGCONT)
        assert await patient == b"late"


async def eventually(asked: Callable[[], Awaitable[int]], wanted: int) -> None:
    """Return when `asked` comes to what is wanted."""
    async with asyncio.timeout(SECONDS):
        while await asked() != wanted:
            await asyncio.sleep(0.02)


class TestWords:
    """What the log has of an error: never what was sent, nor where it was sent to."""

    async def test_are_those_of_a_refusal(self, redis: Redis) -> None:
        ask: Callable[..., Awaitable[object]] = redis.execute_command
        with pytest.raises(ResponseError) as refused:
            await ask("NONSENSE", "a secret")
        assert "secret" not in str(words_of(refused.value))
        assert words_of(ResponseError("OOM command not allowed")) == {"said": "OOM command not allowed"}
        assert len(words_of(ResponseError("x" * 1000))["said"]) == 200

    def test_are_none_of_a_connection(self) -> None:
        assert words_of(RedisConnectionError("redis://:secret@host")) == {}
        assert words_of(NoAnswer()) == {}
        assert words_of(OSError("host")) == {}
