"""Where an agent's finished steps are kept."""

import asyncio
import pickle
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypedDict
from uuid import UUID

import ormsgpack
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.utils.uuid import uuid7
from langgraph.graph import END, START, StateGraph
from postgres_databases import empty_database, execute
from psycopg.conninfo import conninfo_to_dict
from redis.asyncio import Redis
from run_replicas import ALICE, Replicas
from run_runnables import Words
from run_viewers import seen
from sqlalchemy.engine import URL, make_url

from gatehouse.runs.checkpoints.leftovers import LEFTOVERS, Leftovers, first_id_of
from gatehouse.runs.checkpoints.opening import open_checkpoints, set_up_checkpoints
from gatehouse.runs.checkpoints.postgres import conninfo_of
from gatehouse.runs.checkpoints.problems import CheckpointsBehind
from gatehouse.runs.checkpoints.serializing import serializer
from gatehouse.runs.lifecycle.attempts import Attempts
from gatehouse.runs.records import RunRecord
from gatehouse.storage.tenancy import tenant_of_context


class Count(TypedDict):
    count: int


class Stepping(Words):
    """Does one step."""

    async def asteps(self, input: dict[str, Any], config: Any) -> AsyncGenerator[AIMessageChunk]:
        yield AIMessageChunk(content="done")


async def count_in(url: str) -> None:
    """Run a graph of one step with a checkpointer, and see its checkpoints come and go."""
    graph = StateGraph(Count)
    graph.add_node("add", lambda state: {"count": state["count"] + 1})
    graph.add_edge(START, "add")
    graph.add_edge("add", END)
    config: RunnableConfig = {"configurable": {"thread_id": "run-1"}}
    async with open_checkpoints(url) as checkpoints:
        await graph.compile(checkpointer=checkpoints).ainvoke({"count": 1}, config)
    async with open_checkpoints(url) as checkpoints:  # another process
        state = await graph.compile(checkpointer=checkpoints).aget_state(config)
        assert state.values == {"count": 2}
        await checkpoints.adelete_thread("run-1")
        assert await checkpoints.aget_tuple(config) is None


class TestCheckpoints:
    async def test_are_kept_beside_the_sqlite_file(self, tmp_path: Path) -> None:
        await count_in(f"sqlite+aiosqlite:///{tmp_path / 'gatehouse.db'}")
        assert (tmp_path / "gatehouse.db.checkpoints").exists()

    async def test_are_made_by_several_workers_at_once(self, tmp_path: Path) -> None:
        """SQLite waits for no other that sets its journal's mode: about one file in ten was enough."""

        async def opened(url: str) -> None:
            async with open_checkpoints(url):
                pass

        for number in range(60):
            url = f"sqlite+aiosqlite:///{tmp_path / str(number)}.db"
            await asyncio.gather(*(opened(url) for _ in range(8)))

    async def test_are_kept_in_postgresql(self, request: pytest.FixtureRequest) -> None:
        async with empty_database(request.getfixturevalue("postgres_url")) as url:
            await set_up_checkpoints(url)
            await count_in(url)

    async def test_are_made_by_one_process_at_a_time(self, postgres_url: str) -> None:
        async with empty_database(postgres_url) as url:
            await asyncio.gather(*(set_up_checkpoints(url) for _ in range(3)))
            async with open_checkpoints(url):
                pass

    async def test_without_tables_are_refused(self, postgres_url: str) -> None:
        async with empty_database(postgres_url) as url:
            with pytest.raises(CheckpointsBehind, match="gatehouse db upgrade"):
                async with open_checkpoints(url):
                    pass

    async def test_with_tables_of_an_older_release_are_refused(self, postgres_url: str) -> None:
        async with empty_database(postgres_url) as url:
            await set_up_checkpoints(url)
            await execute(url, "DELETE FROM checkpoint_migrations WHERE v > 3")
            with pytest.raises(CheckpointsBehind):
                async with open_checkpoints(url):
                    pass


@dataclass
class Position:
    """A type that a graph keeps in its state."""

    isin: str


class Portfolio(TypedDict):
    positions: Any


class TestSerializer:
    """Whoever can write to the tables must not be able to run code here."""

    @pytest.mark.parametrize("code", range(8))
    def test_calls_nothing_that_a_checkpoint_names(self, tmp_path: Path, code: int) -> None:
        touched = tmp_path / "touched"
        for module, name, argument in (
            ("os", "system", f"touch {touched}"),
            ("pathlib.Path", "touch", str(touched)),
            ("builtins", "exec", f"open({str(touched)!r}, 'w')"),
            ("subprocess", "check_call", ["touch", str(touched)]),
        ):
            for given in (argument, [argument], {"args": argument}):
                packed = ormsgpack.packb((module, name, given, "write_text"))
                forged = ormsgpack.packb(ormsgpack.Ext(code, packed))
                with suppress(Exception):
                    serializer().loads_typed(("msgpack", forged))
        assert not touched.exists()

    def test_reads_no_pickle(self) -> None:
        with pytest.raises(NotImplementedError):
            serializer().loads_typed(("pickle", pickle.dumps(1)))

    @pytest.mark.parametrize(
        "value",
        [
            AIMessage("a", tool_calls=[{"name": "add", "args": {"a": 1}, "id": "c"}]),
            ToolMessage("2", tool_call_id="c"),
            datetime(2026, 1, 1, tzinfo=UTC),
            {"a": [1, None, "x", 1.5, b"y"]},
            UUID("0198c0de-0000-7000-8000-000000000001"),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_reads_what_langchain_writes(self, value: Any) -> None:
        reads = serializer()
        assert reads.loads_typed(reads.dumps_typed(value)) == value

    def test_makes_objects_of_the_types_that_are_allowed(self) -> None:
        written = serializer().dumps_typed(Position("XS1"))
        assert serializer([Position]).loads_typed(written) == Position("XS1")
        assert serializer().loads_typed(written) == {"isin": "XS1"}

    @pytest.mark.parametrize("allowed", [True, False])
    async def test_is_that_of_the_checkpoints(self, tmp_path: Path, allowed: bool) -> None:
        graph = StateGraph(Portfolio)
        graph.add_node("buy", lambda _: {"positions": [Position("XS1")]})
        graph.add_edge(START, "buy")
        config: Any = {"configurable": {"thread_id": "run-1"}}
        types = [Position] if allowed else []
        async with open_checkpoints(f"sqlite+aiosqlite:///{tmp_path / 'gatehouse.db'}", types) as checkpoints:
            built = graph.compile(checkpointer=checkpoints)
            await built.ainvoke({"positions": []}, config)
            [position] = (await built.aget_state(config)).values["positions"]
            assert position == (Position("XS1") if allowed else {"isin": "XS1"})


def counting(checkpoints: Any) -> Any:
    graph = StateGraph(Count)
    graph.add_node("add", lambda state: {"count": state["count"] + 1})
    graph.add_edge(START, "add")
    return graph.compile(checkpointer=checkpoints)


async def keep_steps_of(checkpoints: Any, run_id: str, tenant: str) -> None:
    """Leave the checkpoints of a run of a tenant."""
    tenant_of_context.set(tenant)
    config = {"configurable": {"thread_id": run_id, "run_id": run_id}}
    await counting(checkpoints).ainvoke({"count": 1}, config)


async def kept(checkpoints: Any, run_id: str, tenant: str) -> bool:
    tenant_of_context.set(tenant)
    return await checkpoints.aget_tuple({"configurable": {"thread_id": run_id}}) is not None


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Any]:
    async with AsyncExitStack() as stack:
        url = f"sqlite+aiosqlite:///{tmp_path / 'gatehouse.db'}"
        if request.param == "postgresql":
            superuser = request.getfixturevalue("postgres_url")
            url = await stack.enter_async_context(empty_database(superuser))
            await set_up_checkpoints(url)
            await set_up_checkpoints(url)  # of a release that did so already
        yield await stack.enter_async_context(open_checkpoints(url))


class TestTenants:
    async def test_see_their_own_in_postgresql(self, postgres_url: str) -> None:
        async with empty_database(postgres_url) as url:
            await set_up_checkpoints(url)
            async with open_checkpoints(url) as checkpoints:
                await keep_steps_of(checkpoints, "run-1", "acme")
                assert await kept(checkpoints, "run-1", "acme")
                assert not await kept(checkpoints, "run-1", "beta")
                assert not await kept(checkpoints, "run-1", "")
                tenant_of_context.set("beta")
                await checkpoints.adelete_thread("run-1")
                assert await kept(checkpoints, "run-1", "acme")

    async def test_without_isolation_are_refused(self, postgres_url: str) -> None:
        async with empty_database(postgres_url) as url:
            await set_up_checkpoints(url)
            await execute(url, "DROP POLICY of_tenant ON checkpoint_writes")
            with pytest.raises(CheckpointsBehind):
                async with open_checkpoints(url):
                    pass


class TestLeftovers:
    async def test_of_a_run_that_ended_are_deleted_by_a_later_look(self, store: Any, redis: Redis) -> None:
        leftovers = Leftovers(redis, store)
        for run_id in ("ended", "going-on"):
            await keep_steps_of(store, run_id, "acme")
            await leftovers.note(run_id, "acme")
        now = time.time()
        running = RunRecord("going-on", ALICE, "/agent", {}, None, now, now + 60, 30)
        await Attempts(redis, "me", 5, 60).create(running)
        tenant_of_context.set("beta")
        await leftovers.delete_noted()
        assert not await kept(store, "ended", "acme")
        assert await kept(store, "going-on", "acme")
        assert await redis.hkeys(LEFTOVERS) == [b"going-on"]

    async def test_that_nobody_knows_of_are_swept_when_they_are_old(self, store: Any, redis: Redis) -> None:
        leftovers = Leftovers(redis, store)
        old, new = first_id_of(time.time() - 100), str(uuid7())
        await keep_steps_of(store, old, "acme")
        await keep_steps_of(store, new, "acme")
        tenant_of_context.set("acme")
        await counting(store).ainvoke({"count": 1}, {"configurable": {"thread_id": first_id_of(1.0)}})
        tenant_of_context.set("beta")
        await leftovers.sweep(50)
        assert not await kept(store, old, "acme")
        assert await kept(store, new, "acme")
        assert await kept(store, first_id_of(1.0), "acme")  # of a thread, not of a run

    async def test_are_noted_with_the_end_and_the_erasure_of_a_run(
        self, replicas: Replicas, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        replicas.runnables = {**replicas.runnables, "/stepwise": Stepping()}
        here = await replicas.open()

        async def away(*_arguments: Any) -> None:
            raise OSError("the database is away")

        monkeypatch.setattr(here.engine.conductor.leftovers, "delete", away)
        run = (await here.start("/stepwise")).run
        await seen(here.engine, run.id)
        assert await redis.hgetall(LEFTOVERS) == {run.id.encode(): b"acme"}
        await redis.delete(LEFTOVERS)
        await here.engine.erase([run.id])
        assert await redis.hgetall(LEFTOVERS) == {run.id.encode(): b"acme"}


@pytest.mark.parametrize("password", ["plain", "with space", "it's", "a@b:c/d?e#f%20", "back\\slash"])
def test_a_password_reaches_postgresql_as_it_is(password: str) -> None:
    url = URL.create("postgresql+psycopg", "app", password, "db", 5432, "gatehouse", {"sslmode": "require"})
    told = conninfo_to_dict(conninfo_of(make_url(url.render_as_string(hide_password=False))))
    assert told["password"] == password
    assert (told["host"], told["dbname"], told["sslmode"]) == ("db", "gatehouse", "require")
