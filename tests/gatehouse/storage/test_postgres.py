"""PostgreSQL as a server meets it: slow, restarted, over TLS."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Certificates, loopback_certificates
from live_postgres import Postgres, postgres_programs
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from gatehouse.runs.checkpoints.opening import open_checkpoints, set_up_checkpoints
from gatehouse.storage.database import open_engine, unreachable
from gatehouse.storage.postgres import BoundedConnection
from gatehouse.storage.postgres_options import network_options, prepare_threshold, without_own_options
from gatehouse.storage.schema import upgrade

pytestmark = pytest.mark.skipif(postgres_programs() is None, reason="no PostgreSQL on this machine")


@pytest.fixture(scope="module")
def certificates() -> Certificates:
    return loopback_certificates()


@pytest.fixture(scope="module")
def server(certificates: Certificates) -> Iterator[Postgres]:
    """One that speaks TLS where its build does."""
    server = Postgres()
    files = {
        "ssl_cert_file": server.add_file("server.crt", certificates.certificate),
        "ssl_key_file": server.add_file("server.key", certificates.key),
    }
    server.options = {"ssl": "on", **{name: str(path) for name, path in files.items()}}
    try:
        server.start()
    except TimeoutError:
        server.options = {}
        server.start()
    yield server
    server.remove()


class TestAnswers:
    async def test_that_take_too_long_are_not_waited_for(
        self, server: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(BoundedConnection, "answer_seconds", 0.5)
        engine = open_engine(server.url, pool_size=1)
        async with asyncio.timeout(20):
            with pytest.raises(OperationalError, match="no answer within 0.5 s"):
                async with engine.connect() as connection:
                    await connection.execute(text("SELECT pg_sleep(60)"))
            async with engine.connect() as connection:  # the statement was cancelled in the server
                going_on = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
                going_on += " AND state = 'active'"
                assert await connection.scalar(text(going_on)) == 0
        await engine.dispose()

    async def test_to_an_upgrade_may_take_any_time(
        self, server: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(BoundedConnection, "answer_seconds", 0.5)
        monkeypatch.setattr("gatehouse.storage.schema._revision", lambda _connection, _schema: None)
        upgraded: list[Any] = []

        def take_a_second(config: Any, _to: str) -> None:
            slept = config.attributes["connection"].exec_driver_sql("SELECT 'done' FROM pg_sleep(1)")
            upgraded.append(slept.scalar())

        monkeypatch.setattr("alembic.command.upgrade", take_a_second)
        engine = open_engine(server.url)
        await upgrade(engine)
        await engine.dispose()
        assert set(upgraded) == {"done"}


class TestRestart:
    async def test_is_noticed_before_a_connection_is_used(self, server: Postgres) -> None:
        engine = open_engine(server.url)
        await set_up_checkpoints(server.url)
        async with open_checkpoints(server.url) as checkpoints:
            config = {"configurable": {"thread_id": "run-1"}}
            assert await checkpoints.aget_tuple(config) is None  # type: ignore[arg-type]
            assert await unreachable(engine) is None
            await asyncio.to_thread(server.stop)
            assert "cannot be reached" in str(await unreachable(engine))
            await asyncio.to_thread(server.start)
            async with engine.connect() as connection:
                assert await connection.scalar(text("SELECT 1")) == 1
            assert await checkpoints.aget_tuple(config) is None  # type: ignore[arg-type]
        await engine.dispose()


class TestTls:
    @pytest.fixture(autouse=True)
    def _with_tls(self, server: Postgres) -> None:
        if not server.options:
            pytest.skip("this PostgreSQL has no TLS")

    async def test_with_the_authority_of_the_url(
        self, server: Postgres, certificates: Certificates, tmp_path: Path
    ) -> None:
        url = f"{server.url}?sslmode=verify-full&sslrootcert={certificates.written(tmp_path)}"
        engine = open_engine(url)
        async with engine.connect() as connection:
            used = await connection.scalar(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
        await engine.dispose()
        assert used is True
        await set_up_checkpoints(url)
        async with open_checkpoints(url) as checkpoints:
            assert await checkpoints.aget_tuple({"configurable": {"thread_id": "run-1"}}) is None

    async def test_refuses_a_certificate_of_another_authority(self, server: Postgres, tmp_path: Path) -> None:
        other = loopback_certificates().written(tmp_path)
        engine = open_engine(f"{server.url}?sslmode=verify-full&sslrootcert={other}")
        assert "cannot be reached" in str(await unreachable(engine))
        await engine.dispose()


def test_the_url_s_own_options_stand() -> None:
    url = make_url("postgresql+psycopg://h/db?connect_timeout=2")
    assert "connect_timeout" not in network_options(url)
    assert "tcp_user_timeout" in network_options(url)


@pytest.mark.parametrize(
    ("asked", "found"), [("", 5), ("?prepare_threshold=none", None), ("?prepare_threshold=0", 0)]
)
def test_a_url_says_whether_statements_are_prepared(asked: str, found: int | None) -> None:
    url = make_url(f"postgresql+psycopg://host/name{asked}")
    assert prepare_threshold(url, 5) == found
    assert "prepare" not in without_own_options(url).render_as_string()


def test_what_is_neither_none_nor_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="none or a number"):
        prepare_threshold(make_url("postgresql+psycopg://host/name?prepare_threshold=yes"), 5)
