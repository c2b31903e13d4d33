import asyncio
import os
import stat
import sys
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType

import pytest
from postgres_databases import empty_database
from sqlalchemy import Column, Integer, MetaData, Table, event, insert, inspect, select, text
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.auth.api_keys.tables import api_keys
from gatehouse.storage import database, schema
from gatehouse.storage.database import UtcDateTime, above_row_security, open_engine
from gatehouse.storage.schema import upgrade, why_not_ready

moments = Table("moments", MetaData(), Column("id", Integer, primary_key=True), Column("at", UtcDateTime))


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite+aiosqlite:///{tmp_path / 'data' / 'gatehouse.db'}"


@pytest.fixture
async def engine(url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def migrated(engine: AsyncEngine) -> AsyncEngine:
    await upgrade(engine)
    return engine


async def table_names(engine: AsyncEngine) -> list[str]:
    async with engine.connect() as connection:
        return await connection.run_sync(lambda sync: inspect(sync).get_table_names())


@pytest.fixture
async def failing() -> AsyncIterator[None]:
    """Wait for the threads of failed connections: aiosqlite 0.22 lets them go on, beyond the event loop."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if "connection_worker" in thread.name:
            await asyncio.to_thread(thread.join, 5)


class TestOpenEngine:
    def test_makes_a_folder_that_only_its_owner_can_read(self, url: str, tmp_path: Path) -> None:
        open_engine(url)
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700

    def test_leaves_a_folder_that_is_there(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o755)
        open_engine(f"sqlite+aiosqlite:///{tmp_path / 'gatehouse.db'}")
        assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755

    @pytest.mark.parametrize(
        ("pragma", "value"),
        [("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", 5000), ("synchronous", 1)],
    )
    async def test_sets_up_every_sqlite_connection(
        self, engine: AsyncEngine, pragma: str, value: object
    ) -> None:
        for _ in range(2):
            async with engine.connect() as connection:
                assert await connection.scalar(text(f"PRAGMA {pragma}")) == value
                await connection.invalidate()

    async def test_enforces_foreign_keys(self, migrated: AsyncEngine) -> None:
        async with migrated.begin() as connection:
            await connection.exec_driver_sql("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
            await connection.exec_driver_sql("CREATE TABLE child (id INTEGER REFERENCES parent)")
        with pytest.raises(IntegrityError):
            async with migrated.begin() as connection:
                await connection.exec_driver_sql("INSERT INTO child VALUES (1)")

    async def test_readers_do_not_wait_for_a_writer_of_another_process(self, migrated: AsyncEngine) -> None:
        other = open_engine(migrated.url.render_as_string(hide_password=False))
        async with other.connect() as writer, migrated.connect() as reader:
            await writer.exec_driver_sql("BEGIN IMMEDIATE")
            assert (await reader.execute(select(api_keys))).all() == []
        await other.dispose()

    async def test_lets_callers_of_a_sqlite_file_wait_for_each_other(self, migrated: AsyncEngine) -> None:
        going_on = []

        async def write(number: int) -> None:
            async with migrated.begin() as connection:
                going_on.append(number)
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
                assert going_on == [number]
                going_on.clear()

        await asyncio.gather(*map(write, range(50)))

    async def test_a_write_that_is_cancelled_locks_nobody_out(self, migrated: AsyncEngine) -> None:
        begun = asyncio.Event()

        async def write() -> None:
            async with migrated.begin() as connection:
                await connection.exec_driver_sql("BEGIN IMMEDIATE")
                await connection.exec_driver_sql("CREATE TABLE many (number INTEGER)")
                begun.set()
                await connection.exec_driver_sql("INSERT INTO many VALUES (?)", [(1,)] * 200_000)

        writing = asyncio.create_task(write())
        await begun.wait()
        await asyncio.sleep(0.01)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError) as cancelled:
            await writing
        async with migrated.begin() as connection:
            await connection.exec_driver_sql("BEGIN IMMEDIATE")
        assert cancelled.tb is not None  # it was not collected meanwhile: it has the cursor

    @pytest.mark.parametrize("memory", ["sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:"])
    async def test_opens_a_database_in_memory(
        self, memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        engine = open_engine(memory)
        await upgrade(engine)
        assert "api_keys" in await table_names(engine)
        await engine.dispose()
        assert not any(os.scandir(tmp_path))

    def test_replaces_dead_connections_of_a_server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "asyncpg", ModuleType("asyncpg"))  # whether or not it is installed
        engine = open_engine("postgresql+asyncpg://gate:secret@db.example/gatehouse")
        assert engine.pool._pre_ping
        assert engine.pool._recycle == 1800

    def test_shows_no_password(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "asyncpg", ModuleType("asyncpg"))
        assert "secret" not in repr(open_engine("postgresql+asyncpg://gate:secret@db.example/gatehouse"))


class TestUtcDateTime:
    @pytest.fixture
    async def table(self, engine: AsyncEngine) -> AsyncEngine:
        async with engine.begin() as connection:
            await connection.run_sync(moments.metadata.create_all)
        return engine

    async def test_reads_the_moment_that_was_written_in_utc(self, table: AsyncEngine) -> None:
        delhi = timezone(timedelta(hours=5, minutes=30))
        async with table.begin() as connection:
            await connection.execute(
                moments.insert(), {"at": datetime(2026, 3, 1, 2, 0, 0, 123456, tzinfo=delhi)}
            )
            read = await connection.scalar(select(moments.c.at))
        assert read == datetime(2026, 2, 28, 20, 30, 0, 123456, tzinfo=UTC)
        assert read.tzinfo is UTC

    async def test_compares_moments_written_in_other_timezones(self, table: AsyncEngine) -> None:
        noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        later = (noon + timedelta(minutes=1)).astimezone(timezone(timedelta(hours=-9)))
        async with table.begin() as connection:
            await connection.execute(moments.insert(), [{"at": noon}, {"at": later}])
            found = await connection.scalars(select(moments.c.at).where(moments.c.at > noon))
            assert found.all() == [later]

    async def test_keeps_the_absence_of_a_moment(self, table: AsyncEngine) -> None:
        async with table.begin() as connection:
            await connection.execute(moments.insert(), {"at": None})
            assert (await connection.execute(select(moments.c.at))).all() == [(None,)]

    async def test_refuses_a_datetime_without_timezone(self, table: AsyncEngine) -> None:
        naive = datetime(2026, 3, 1)  # noqa: DTZ001  # the case
        async with table.connect() as connection:
            with pytest.raises(StatementError, match="no timezone"):
                await connection.execute(moments.insert(), {"at": naive})

    def test_reads_utc_from_a_driver_that_answers_in_its_sessions_timezone(self, engine: AsyncEngine) -> None:
        tokyo = datetime(2026, 3, 1, 9, tzinfo=timezone(timedelta(hours=9)))
        read = UtcDateTime().process_result_value(tokyo, engine.dialect)
        assert read == tokyo
        assert read.tzinfo is UTC


class TestUpgrade:
    async def test_creates_the_tables(self, migrated: AsyncEngine) -> None:
        assert await table_names(migrated) == [
            "alembic_version",
            "api_keys",
            "approvals",
            "attachments",
            "audit_log",
            "effects",
            "feedback",
            "messages",
            "revoked_tokens",
            "store_items",
            "threads",
            "usage",
            "waiting_runs",
            "webhooks",
        ]

    async def test_can_be_repeated(self, migrated: AsyncEngine) -> None:
        await upgrade(migrated)
        assert await why_not_ready(migrated) is None

    async def test_waits_for_whoever_writes(self, migrated: AsyncEngine) -> None:
        async with migrated.connect() as writer:
            await writer.exec_driver_sql("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(upgrade(migrated))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            await writer.rollback()
        await waiting

    async def test_leaves_the_schema_of_a_newer_release(self, migrated: AsyncEngine) -> None:
        async with migrated.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        await upgrade(migrated)
        async with migrated.connect() as connection:
            assert await connection.scalar(text("SELECT version_num FROM alembic_version")) == "9999"

    async def test_that_fails_leaves_nothing_behind(self, engine: AsyncEngine) -> None:
        def fail_at_feedback(_conn: object, _cursor: object, statement: str, *_rest: object) -> None:
            if "CREATE TABLE feedback" in statement:
                raise RuntimeError("disk full")

        event.listen(engine.sync_engine, "before_cursor_execute", fail_at_feedback)
        with pytest.raises(RuntimeError, match="disk full"):
            await upgrade(engine)
        assert await table_names(engine) == []


class TestWhyNotReady:
    async def test_an_empty_database_needs_the_upgrade(
        self, engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(schema, "_revisions", lambda _: ("0002", "0001"))
        assert await why_not_ready(engine) == (
            "its schema is at revision none, not 0002: run gatehouse db upgrade"
        )

    async def test_an_older_schema_needs_the_upgrade(
        self, migrated: AsyncEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with migrated.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        monkeypatch.setattr(schema, "_revisions", lambda _: ("0002", "0001"))
        assert await why_not_ready(migrated) == (
            "its schema is at revision 0001, not 0002: run gatehouse db upgrade"
        )

    async def test_the_newest_schema_is_ready(self, migrated: AsyncEngine) -> None:
        assert await why_not_ready(migrated) is None

    async def test_the_schema_of_a_newer_release_is_ready(self, migrated: AsyncEngine) -> None:
        async with migrated.begin() as connection:
            await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        assert await why_not_ready(migrated) is None

    @pytest.mark.usefixtures("failing")
    async def test_a_database_that_cannot_be_opened_is_named_without_its_address(
        self, tmp_path: Path
    ) -> None:
        engine = open_engine(f"sqlite+aiosqlite:///{tmp_path}")
        assert await why_not_ready(engine) == "GATEHOUSE_DATABASE_URL cannot be reached (OperationalError)"
        await engine.dispose()

    @pytest.mark.usefixtures("failing")
    async def test_a_file_that_is_no_database_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "gatehouse.db").write_bytes(b"not a database" * 100)
        engine = open_engine(f"sqlite+aiosqlite:///{tmp_path / 'gatehouse.db'}")
        assert await why_not_ready(engine) == "GATEHOUSE_DATABASE_URL cannot be reached (DatabaseError)"
        await engine.dispose()

    async def test_a_database_that_does_not_answer_is_given_up(
        self, migrated: AsyncEngine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(database, "ANSWER_SECONDS", 0.05)
        async with migrated.connect():  # the only one that there is
            assert await why_not_ready(migrated) == "GATEHOUSE_DATABASE_URL cannot be reached (TimeoutError)"


class TestRowSecurity:
    async def test_holds_for_an_ordinary_role_and_not_for_a_superuser(self, postgres_url: str) -> None:
        async with empty_database(postgres_url) as url:
            for address, above in ((url, False), (postgres_url, True)):
                engine = open_engine(address)
                assert await above_row_security(engine) is above
                await engine.dispose()

    async def test_is_no_question_for_sqlite(self, migrated: AsyncEngine) -> None:
        assert not await above_row_security(migrated)


class TestApiKeys:
    async def test_rows_come_back_as_they_went_in(self, migrated: AsyncEngine) -> None:
        row = {
            "id": "k1",
            "tenant_id": "acme",
            "user_id": "alice",
            "name": "laptop",
            "scopes": ["runnable:chat", "*"],
            "secret_hash": bytes(range(32)),
            "pepper_version": 1,
            "plan": None,
            "claims": {"portfolio_id": "acme-alice-1"},
            "created_at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
            "expires_at": None,
            "revoked_at": None,
            "last_used_at": None,
        }
        async with migrated.begin() as connection:
            await connection.execute(insert(api_keys), row)
            [read] = (await connection.execute(select(api_keys))).mappings()
        assert dict(read) == row
