"""Row-level security on a real PostgreSQL: what a role sees that is no superuser, whatever it asks for."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from called_runnable import for_caller
from migrated_databases import migrate
from postgres_databases import (
    OWNER,
    create_database,
    create_role,
    drop_database,
    execute,
    superuser_url,
    url_for,
)
from sqlalchemy import Table, delete, false, func, insert, make_url, not_, select, text, update
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.attachments.store import AttachmentStore, Bounds
from gatehouse.attachments.tables import attachments
from gatehouse.audit.entry import AuditEntry
from gatehouse.audit.table import audit_log
from gatehouse.audit.trail import AuditTrail
from gatehouse.auth.api_keys.peppers import Peppers
from gatehouse.auth.api_keys.store import ApiKeys
from gatehouse.auth.api_keys.tables import api_keys
from gatehouse.identity.caller import Caller
from gatehouse.identity.principal import Principal
from gatehouse.ledger.effect import Call
from gatehouse.ledger.store import EffectStore
from gatehouse.ledger.table import effects
from gatehouse.migrations.target import TARGET
from gatehouse.problems.errors import InvalidCredential
from gatehouse.runs.accounts import Account
from gatehouse.storage.database import open_engine
from gatehouse.storage.tenancy import see_as_operator, tenant_transaction, why_no_operator
from gatehouse.store.items import CallersStore
from gatehouse.store.table import store_items
from gatehouse.threads.store import ThreadStore
from gatehouse.threads.tables import messages, threads
from gatehouse.usage.feedback import FeedbackStore, Judged
from gatehouse.usage.feedback_table import feedback
from gatehouse.usage.store import UsageStore
from gatehouse.usage.tables import usage
from tools.portfolio.store import PortfolioStore
from tools.portfolio.tables import accounts, holdings
from tools.portfolio.tables import metadata as portfolio

READER = "gatehouse_reader"  # a role that owns nothing, with every right on every table
TENANT_TABLES = [
    table
    for metadata in (TARGET, portfolio)
    for table in metadata.sorted_tables
    if "tenant_id" in table.columns
]
CHANGING = (
    api_keys,
    threads,
    messages,
    usage,
    accounts,
    holdings,
    feedback,
    attachments,
    effects,
    store_items,
)
FILLED = (*CHANGING, audit_log)  # whose rows nobody changes, of whatever tenant


def principal(tenant_id: str, user_id: str) -> Principal:
    return Principal(tenant_id, user_id, user_id.title(), frozenset({"*"}), "jwt", f"{tenant_id}-{user_id}")


async def fill(url: str) -> None:
    """Give two tenants a row in every table."""
    await migrate(url, seeded=True)
    engine = open_engine(url)
    keys, store = keys_of(engine), ThreadStore(engine)
    for tenant, user in (("acme", "alice"), ("beta", "bob")):
        await keys.create(tenant_id=tenant, user_id=user)
        thread = await store.create(principal(tenant, user), "chat", f"of {user}")
        await store.begin(principal(tenant, user), thread.id, f"run-of-{user}", "Hello")
        await AttachmentStore(engine, Bounds(9, 999, timedelta(hours=1))).keep(
            principal(tenant, user), "a", b"a"
        )
        judged = Judged(f"run-of-{user}", thread.id, "chat")
        await FeedbackStore(engine).put(principal(tenant, user), judged, "up", "")
        ended = Account(f"run-of-{user}", tenant, user, "chat", "completed", 1_790_000_000, {})
        await UsageStore(engine).enter([ended])
        await EffectStore(engine).claim(Call(tenant, user, f"run-of-{user}", 1, "transfer", {}, "call-1"))
        keep = CallersStore(engine)
        await for_caller(keep, lambda store: store.aput(("notes",), "name", {}), tenant, user)
        await AuditTrail(engine, print).write(AuditEntry("sign-in", "ok", tenant, user))
    await engine.dispose()


def keys_of(engine: AsyncEngine) -> ApiKeys:
    return ApiKeys(engine, Peppers.parse("p" * 32), "dev")


@pytest.fixture(scope="module")
def filled(postgres_url: str) -> Iterator[str]:
    """A migrated database that two tenants have rows in, for the role that owns it."""
    url = asyncio.run(create_database(postgres_url))
    asyncio.run(fill(url))
    asyncio.run(grant_all(postgres_url, url))
    yield url
    asyncio.run(drop_database(postgres_url, url))


async def grant_all(server_url: str, url: str) -> None:
    await create_role(server_url, READER)
    await execute(superuser_url(server_url, url), f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {READER}")


@pytest.fixture(params=["owner", "another role"])
async def engine(
    request: pytest.FixtureRequest, filled: str, postgres_url: str
) -> AsyncIterator[AsyncEngine]:
    """The database, for the role that owns its tables and for one that may do everything with them."""
    url = filled if request.param == "owner" else url_for(postgres_url, READER, make_url(filled).database)
    engine = open_engine(url)
    yield engine
    await engine.dispose()


@pytest.fixture
async def superuser(filled: str, postgres_url: str) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(superuser_url(postgres_url, filled))
    yield engine
    await engine.dispose()


async def tenants_in(engine: AsyncEngine, table: Table, tenant: str | None = None) -> set[str]:
    query = select(table.c.tenant_id)
    if tenant is None:
        async with engine.connect() as connection:
            return set(await connection.scalars(query))
    async with tenant_transaction(engine, tenant) as connection:
        return set(await connection.scalars(query))


def named(table: Table) -> str:
    return table.name


class TestPolicies:
    @pytest.mark.parametrize("table", TENANT_TABLES, ids=named)
    async def test_are_on_every_table_with_a_tenant_and_hold_for_its_owner(
        self, superuser: AsyncEngine, table: Table
    ) -> None:
        async with superuser.connect() as connection:
            enabled = await connection.execute(
                text("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = :name"),
                {"name": table.name},
            )
            assert tuple(enabled.one()) == (True, True)
            policies = await connection.scalars(
                text("SELECT qual FROM pg_policies WHERE tablename = :name AND cmd = 'ALL'"),
                {"name": table.name},
            )
            [condition] = policies.all()
            assert "tenant_id" in condition
            assert "gatehouse.tenant" in condition

    @pytest.mark.parametrize("table", FILLED, ids=named)
    async def test_show_a_tenant_its_own_rows(self, engine: AsyncEngine, table: Table) -> None:
        assert await tenants_in(engine, table, "acme") == {"acme"}
        assert await tenants_in(engine, table, "beta") == {"beta"}

    @pytest.mark.parametrize("table", FILLED, ids=named)
    async def test_show_nobody_anything(
        self, engine: AsyncEngine, superuser: AsyncEngine, table: Table
    ) -> None:
        assert await tenants_in(superuser, table) >= {"acme", "beta"}
        assert await tenants_in(engine, table) == set()
        assert await tenants_in(engine, table, "") == set()

    @pytest.mark.parametrize("table", FILLED, ids=named)
    async def test_let_nobody_change_or_delete_anothers_rows(self, engine: AsyncEngine, table: Table) -> None:
        async with tenant_transaction(engine, "acme") as connection:
            theirs = table.c.tenant_id == "beta"
            changed = await connection.execute(update(table).where(theirs).values(user_id="mallory"))
            deleted = await connection.execute(delete(table).where(theirs))
        assert (changed.rowcount, deleted.rowcount) == (0, 0)

    @pytest.mark.parametrize("table", CHANGING, ids=named)
    async def test_let_nobody_give_a_row_to_another(self, engine: AsyncEngine, table: Table) -> None:
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with tenant_transaction(engine, "acme") as connection:
                await connection.execute(update(table).values(tenant_id="beta"))

    async def test_let_nobody_insert_for_another(self, engine: AsyncEngine) -> None:
        now = datetime.now(UTC)
        row: dict[str, Any] = {
            "id": "x", "tenant_id": "beta", "user_id": "bob", "runnable": "chat", "title": "",
            "created_at": now, "updated_at": now,
        }  # fmt: skip
        with pytest.raises(ProgrammingError, match="row-level security"):
            async with tenant_transaction(engine, "acme") as connection:
                await connection.execute(insert(threads), row)

    async def test_are_not_got_around_by_switching_them_off(self, engine: AsyncEngine) -> None:
        async with engine.connect() as connection:
            await connection.execute(text("SET LOCAL row_security = off"))
            with pytest.raises(ProgrammingError, match="row-level security"):
                await connection.execute(select(threads))

    async def test_outlive_no_transaction(self, filled: str) -> None:
        engine = open_engine(filled, pool_size=1)
        async with tenant_transaction(engine, "acme") as connection:
            used = await connection.scalar(text("SELECT pg_backend_pid()"))
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT pg_backend_pid()")) == used
            assert await connection.scalar(select(func.count()).select_from(threads)) == 0
        await engine.dispose()


class TestStores:
    async def test_of_threads_reach_a_tenants_own(self, engine: AsyncEngine) -> None:
        page = await ThreadStore(engine).page(principal("acme", "alice"), 10)
        assert [thread.title for thread in page.items] == ["of alice"]

    async def test_of_portfolios_reach_a_callers_own(self, engine: AsyncEngine) -> None:
        store = PortfolioStore(engine)
        [portfolio] = await store.portfolios(Caller("acme", "alice"))
        assert await store.holdings(Caller("acme", "alice"), portfolio.portfolio_id)
        assert await store.holdings(Caller("beta", "alice"), portfolio.portfolio_id) == ()


class TestApiKeys:
    async def test_are_found_before_their_tenant_is_known(self, filled: str) -> None:
        engine = open_engine(filled)
        keys = keys_of(engine)
        created = await keys.create(tenant_id="acme", user_id="alice")
        assert (await keys.verify(created.key)).tenant_id == "acme"
        assert await keys.works(created.record.id)
        await keys.upkeep.write()
        assert (await keys.get(created.record.id)).last_used_at is not None
        rotated = await keys.rotate(created.record.id, overlap=60)
        assert (await keys.verify(rotated.key)).tenant_id == "acme"
        await keys.revoke(created.record.id)
        with pytest.raises(InvalidCredential):
            await keys.verify(created.key)
        await engine.dispose()

    async def test_of_a_tenant_are_listed(self, engine: AsyncEngine) -> None:
        assert {key.tenant_id for key in await keys_of(engine).list("beta")} == {"beta"}

    async def test_that_are_seen_by_their_id_are_not_written(self, engine: AsyncEngine) -> None:
        [theirs, *_] = await keys_of(engine).list("beta")
        async with engine.begin() as connection:
            await connection.execute(select(func.set_config("gatehouse.api_key", theirs.id, True)))
            assert await connection.scalar(select(api_keys.c.id).where(api_keys.c.id == theirs.id))
            changed = await connection.execute(update(api_keys).values(user_id="mallory"))
        assert changed.rowcount == 0


class TestOperator:
    """The one role that sees rows of all tenants, and which roles can become it."""

    async def test_lists_the_keys_of_every_tenant(self, filled: str) -> None:
        engine = open_engine(filled)
        assert {key.tenant_id for key in await keys_of(engine).list()} >= {"acme", "beta"}
        assert await why_no_operator(engine) is None
        await engine.dispose()

    async def test_no_other_role_becomes_it(self, filled: str, postgres_url: str) -> None:
        engine = open_engine(url_for(postgres_url, READER, make_url(filled).database))
        with pytest.raises(ProgrammingError, match="permission denied to set role"):
            await keys_of(engine).list()
        assert f'GRANT "{OWNER}_operator" TO "{READER}"' in str(await why_no_operator(engine))
        await engine.dispose()

    @pytest.mark.parametrize("table", FILLED, ids=named)
    async def test_no_setting_makes_one(self, engine: AsyncEngine, table: Table) -> None:
        async with engine.begin() as connection:
            await connection.execute(text("SET LOCAL gatehouse.operator = 'on'"))
            assert (await connection.execute(select(table.c.tenant_id))).all() == []

    async def test_reads_nothing_that_was_said_and_changes_no_key(self, filled: str) -> None:
        engine = open_engine(filled)
        for statement in (select(messages), update(api_keys).values(user_id="mallory"), delete(threads)):
            with pytest.raises(ProgrammingError, match="permission denied"):
                async with engine.begin() as connection:
                    await see_as_operator(connection)
                    await connection.execute(statement)
        await engine.dispose()

    async def test_is_it_for_one_transaction(self, filled: str) -> None:
        engine = open_engine(filled, pool_size=1)
        async with engine.begin() as connection:
            await see_as_operator(connection)
        async with engine.connect() as connection:
            assert await connection.scalar(select(func.current_user())) == OWNER
        await engine.dispose()

    async def test_sees_only_what_is_old_of_what_it_purges(self, filled: str) -> None:
        engine = open_engine(filled)
        for table in (audit_log, attachments, effects):
            async with engine.begin() as connection:
                await see_as_operator(connection)
                still = table.c.status.in_(("claimed", "unknown")) if table is effects else false()
                seen = select(table.c.tenant_id).where(not_(still))
                assert (await connection.execute(seen)).all() == []
                assert (await connection.execute(delete(table))).rowcount == 0
        await engine.dispose()

    async def test_sees_whose_calls_are_under_way_and_not_what_was_called(self, filled: str) -> None:
        engine = open_engine(filled)
        async with engine.begin() as connection:
            await see_as_operator(connection)
            whose = await connection.scalars(select(effects.c.tenant_id))
            assert set(whose) == {"acme", "beta"}
            with pytest.raises(ProgrammingError, match="permission denied"):
                await connection.execute(select(effects.c.args))
        await engine.dispose()

    async def test_no_policy_asks_for_a_setting_that_anybody_makes(self, superuser: AsyncEngine) -> None:
        async with superuser.connect() as connection:
            found = await connection.execute(
                text("SELECT tablename, policyname FROM pg_policies WHERE qual LIKE '%gatehouse.operator%'")
            )
            assert found.all() == []
