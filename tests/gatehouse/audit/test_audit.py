"""The audit log on both databases: what is written, what cannot be changed, what is purged."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine
from structlog.testing import capture_logs

from gatehouse.audit import trail as audit_module
from gatehouse.audit.entry import AuditEntry, once_a_minute
from gatehouse.audit.purge import purge
from gatehouse.audit.reading import Wanted, audit_page
from gatehouse.audit.table import audit_log
from gatehouse.audit.tool_calls import audit_tool_calls
from gatehouse.audit.trail import AuditTrail
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import BadRequest
from gatehouse.runs.records import RunRecord
from gatehouse.storage.tenancy import tenant_transaction

NOW = datetime.now(UTC)


def entry(number: int = 0, tenant: str | None = "acme", user: str = "alice", **changes: Any) -> AuditEntry:
    at = NOW - timedelta(minutes=number)
    return AuditEntry("sign-in", "ok", **{"tenant_id": tenant, "user_id": user, "time": at, **changes})


def aged(days: float, tenant: str | None = "acme") -> AuditEntry:
    return entry(tenant=tenant, time=NOW - timedelta(days=days))


@pytest.fixture
def lost() -> list[int]:
    return []


@pytest.fixture
def audit(engine: AsyncEngine, lost: list[int]) -> AuditTrail:
    return AuditTrail(engine, lost.append)


async def rows(engine: AsyncEngine, tenant: str = "acme", **wanted: Any) -> list[Any]:
    return (await audit_page(engine, tenant, Wanted(**wanted), 500, None)).items


@asynccontextmanager
async def renamed(engine: AsyncEngine, table: str) -> AsyncIterator[None]:
    """Let a table not be found under its name."""
    async with engine.begin() as connection:
        await connection.execute(text(f"ALTER TABLE {table} RENAME TO elsewhere"))
    try:
        yield
    finally:
        async with engine.begin() as connection:
            await connection.execute(text(f"ALTER TABLE elsewhere RENAME TO {table}"))


class TestWriting:
    async def test_happens_in_batches(self, engine: AsyncEngine, audit: AuditTrail) -> None:
        for number in range(1100):
            audit.note(entry(number))
        audit.note(entry(tenant="beta", user="bob"))
        await audit.flush()
        assert len(await rows(engine)) == 500
        async with tenant_transaction(engine, "acme") as connection:
            written = await connection.scalar(select(func.count()).select_from(audit_log))
            assert written is not None
            assert written >= 1100
        assert [row.user_id for row in await rows(engine, "beta")] == ["bob"]

    async def test_twice_at_once_loses_nothing(self, engine: AsyncEngine, audit: AuditTrail) -> None:
        audit.note(entry(1))
        first = asyncio.create_task(audit.flush())
        second = asyncio.create_task(audit.flush())
        await asyncio.sleep(0)  # both have begun
        audit.note(entry(2))
        await asyncio.gather(first, second)
        await audit.flush()
        assert len(await rows(engine)) == 2

    async def test_goes_on_in_the_background_and_ends_with_the_rest(
        self, engine: AsyncEngine, audit: AuditTrail
    ) -> None:
        async with audit.going_on():
            audit.note(entry())
        assert len(await rows(engine)) == 1

    async def test_of_what_stands_for_several_is_one_row(
        self, engine: AsyncEngine, audit: AuditTrail
    ) -> None:
        same = once_a_minute("limit", "requests", "acme", "alice")
        for _ in range(5):
            audit.note(entry(id=same))
        await audit.flush()
        audit.note(entry(id=same))  # as another replica would
        await audit.write(entry(id=same))
        await audit.flush()
        assert [row.id for row in await rows(engine)] == [same]

    async def test_keeps_no_secret_and_no_long_text(self, engine: AsyncEngine, audit: AuditTrail) -> None:
        secret = "gh_dev_0123456789abcdef_ZXhhbXBsZXNlY3JldA1a2b3c4d"
        details = {"note": f"with {secret}", "password": "hunter2", "long": "x" * 9000, "nul": "a\0b"}
        many = {f"name {number}": number for number in range(50)}
        await audit.write(entry(subject="y" * 9000, address="z" * 9000, details={**details, **many}))
        [row] = await rows(engine)
        assert secret not in str(row)
        assert "hunter2" not in str(row)
        assert (len(row.subject), len(row.details["long"]), len(row.details)) == (255, 255, 12)
        assert len(row.address) == 64
        assert "\0" not in row.details["nul"]

    async def test_of_nobodys_rows_is_possible_and_no_tenant_reads_them(
        self, engine: AsyncEngine, audit: AuditTrail
    ) -> None:
        audit.note(AuditEntry("sign-in", "failed", address="203.0.113.9"))
        await audit.flush()
        assert await rows(engine) == await rows(engine, "") == []


class TestTools:
    @pytest.mark.parametrize(("acts", "outcome"), [(True, "ok"), (False, "refused")])
    async def test_that_act_or_may_not_are_on_record_for_whose_run_it_is(
        self, engine: AsyncEngine, audit: AuditTrail, acts: bool, outcome: str
    ) -> None:
        alice = Principal("acme", "alice", "Alice", frozenset({"*"}), "jwt", "1")
        run = RunRecord("r-1", alice, "/agent", {}, None, 0.0, 0.0, 30)
        await audit_tool_calls(audit)(run, "transfer_money", acts)
        [row] = await rows(engine)
        assert (row.action, row.outcome, row.subject) == ("tool.act", outcome, "transfer_money")
        assert row.user_id == "alice"
        assert row.details == {
            "run_id": "r-1", "attempt": run.attempt, "runnable": "agent", "signed_in_with": "jwt"
        }  # fmt: skip


class TestDatabaseThatIsAway:
    async def test_costs_nothing_until_there_is_no_room(
        self, engine: AsyncEngine, audit: AuditTrail, lost: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(audit_module, "MOST_WAITING", 3)
        monkeypatch.setattr(audit_module, "PAUSE", 0.01)
        write = audit._write
        failures = iter([1, 1])

        async def away(entries: Any) -> None:
            if next(failures, None):
                raise OperationalError("INSERT", {}, OSError("the database is away"))
            await write(entries)

        monkeypatch.setattr(audit, "_write", away)
        for number in range(5):
            audit.note(entry(number))
        with capture_logs() as logs:
            async with audit.going_on():
                while audit._waiting:
                    await asyncio.sleep(0.01)
        assert len(await rows(engine)) == 3
        assert lost == [1, 1]
        events = [log["event"] for log in logs]
        assert events.count("audit log cannot be written") == 2
        assert {"event": "entries of the audit log were lost", "count": 2, "log_level": "error"} in logs

    async def test_costs_no_room_for_what_waits_already(
        self, audit: AuditTrail, lost: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(audit_module, "MOST_WAITING", 1)
        for tenant in ("acme", "acme", "beta"):
            audit.note(entry(id=once_a_minute("limit", "requests", tenant, "alice"), tenant=tenant))
        assert lost == [1]

    async def test_for_good_is_told_in_the_end(
        self, audit: AuditTrail, lost: list[int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def away(_entries: Any) -> None:
            raise OSError

        monkeypatch.setattr(audit, "_write", away)
        with capture_logs() as logs:
            async with audit.going_on():
                audit.note(entry())
        assert lost == [1]
        assert logs[-1]["event"] == "entries of the audit log were lost"

    async def test_fails_what_must_not_be_lost(self, audit: AuditTrail, engine: AsyncEngine) -> None:
        async with renamed(engine, "audit_log"):
            with pytest.raises(DBAPIError):
                await audit.write(entry())


class TestAppendOnly:
    @pytest.fixture(autouse=True)
    async def kept(self, audit: AuditTrail) -> None:
        for days in (0, 29, 31, 400):
            await audit.write(aged(days))

    async def test_no_row_is_changed(self, engine: AsyncEngine) -> None:
        with pytest.raises(DBAPIError, match="append-only"):
            async with tenant_transaction(engine, "acme") as connection:
                await connection.execute(update(audit_log).values(outcome="failed"))

    async def test_no_row_of_the_last_30_days_is_deleted(self, engine: AsyncEngine) -> None:
        for since in (1, 30):
            recent = audit_log.c.time > NOW - timedelta(days=since)
            with pytest.raises(DBAPIError, match="append-only"):
                async with tenant_transaction(engine, "acme") as connection:
                    await connection.execute(delete(audit_log).where(recent))
        assert len(await rows(engine)) == 4

    async def test_the_table_is_not_emptied(self, engine: AsyncEngine) -> None:
        whole = "TRUNCATE audit_log" if engine.dialect.name == "postgresql" else "DELETE FROM audit_log"
        with pytest.raises(DBAPIError, match="append-only"):
            async with engine.begin() as connection:
                await connection.execute(text(whole))

    async def test_no_row_is_replaced(self, engine: AsyncEngine) -> None:
        [row, *_] = await rows(engine)
        again = {**entry().row(), "id": row.id}
        with pytest.raises(DBAPIError):
            async with tenant_transaction(engine, "acme") as connection:
                await connection.execute(insert(audit_log), again)


class TestPurge:
    async def test_deletes_what_is_older_than_its_days_of_every_tenant(
        self, engine: AsyncEngine, audit: AuditTrail, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.audit.purge.AT_ONCE", 2)
        for tenant in ("acme", "beta", None):
            for days in (1, 364, 366, 400):
                await audit.write(aged(days, tenant))
        assert await purge(engine, 365) == 6
        assert await purge(engine, 365) == 0
        for tenant in ("acme", "beta"):
            kept = await rows(engine, tenant)
            assert [round((NOW - row.time).total_seconds() / 86_400) for row in kept] == [1, 364]

    async def test_of_fewer_days_than_the_database_keeps_deletes_none_of_those(
        self, engine: AsyncEngine, audit: AuditTrail
    ) -> None:
        await audit.write(aged(10))
        if engine.dialect.name == "sqlite":
            with pytest.raises(DBAPIError, match="append-only"):
                await purge(engine, 5)
        else:
            assert await purge(engine, 5) == 0  # it does not even see them
        assert len(await rows(engine)) == 1


class TestReading:
    @pytest.fixture(autouse=True)
    async def kept(self, audit: AuditTrail) -> None:
        for number in range(7):
            user = "alice" if number % 2 else "ann"
            await audit.write(entry(number, user=user))
        await audit.write(AuditEntry("key.create", "ok", "acme", "alice", time=NOW - timedelta(hours=1)))
        await audit.write(entry(tenant="beta", user="bob"))

    async def test_is_of_one_tenant_the_newest_first(self, engine: AsyncEngine) -> None:
        found = await rows(engine)
        assert len(found) == 8
        assert [row.time for row in found] == sorted((row.time for row in found), reverse=True)

    @pytest.mark.parametrize("more_of_one_moment", [0, 5])
    async def test_goes_page_by_page(
        self, engine: AsyncEngine, audit: AuditTrail, more_of_one_moment: int
    ) -> None:
        for _ in range(more_of_one_moment):
            await audit.write(entry())
        seen, cursor = [], None
        while True:
            page = await audit_page(engine, "acme", Wanted(), 3, cursor)
            seen += page.items
            cursor = page.next_cursor
            if cursor is None:
                break
        assert seen == await rows(engine)

    async def test_can_be_narrowed(self, engine: AsyncEngine) -> None:
        assert {row.user_id for row in await rows(engine, user="ann")} == {"ann"}
        assert [row.action for row in await rows(engine, action="key.create")] == ["key.create"]
        since, until = NOW - timedelta(minutes=5), NOW - timedelta(minutes=2)
        assert len(await rows(engine, since=since, until=until)) == 3

    @pytest.mark.parametrize("cursor", ["", "garbage", "dDEtYQ", "YTk5OQ"])
    async def test_refuses_another_lists_cursor(self, engine: AsyncEngine, cursor: str) -> None:
        with pytest.raises(BadRequest):
            await audit_page(engine, "acme", Wanted(), 3, cursor)
