"""Where an agent's finished steps are kept."""

import asyncio
from pathlib import Path
from typing import TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.graph import END, START, StateGraph
from postgres_databases import empty_database, execute
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.engine import URL, make_url

from gatehouse.runs.checkpoints.opening import (
    CheckpointsBehind,
    conninfo_of,
    open_checkpoints,
    set_up_checkpoints,
)


class Count(TypedDict):
    count: int


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


@pytest.mark.parametrize("password", ["plain", "with space", "it's", "a@b:c/d?e#f%20", "back\\slash"])
def test_a_password_reaches_postgresql_as_it_is(password: str) -> None:
    url = URL.create("postgresql+psycopg", "app", password, "db", 5432, "gatehouse", {"sslmode": "require"})
    told = conninfo_to_dict(conninfo_of(make_url(url.render_as_string(hide_password=False))))
    assert told["password"] == password
    assert (told["host"], told["dbname"], told["sslmode"]) == ("db", "gatehouse", "require")
