"""`gatehouse erase`: all that is kept of a user, by the operator."""

import asyncio
import sqlite3
from pathlib import Path

from cli_results import Run, data_of, misuse_of

from gatehouse.identity.principal import Principal
from gatehouse.storage.database import open_engine
from gatehouse.threads.store import ThreadStore


def begun(folder: Path, user: str) -> None:
    """Begin a thread of a user of acme."""

    async def begin() -> None:
        engine = open_engine(f"sqlite+aiosqlite:///{folder / 'data' / 'gatehouse.db'}")
        owner = Principal("acme", user, user, frozenset("*"), "jwt", user)
        store = ThreadStore(engine)
        thread = await store.create(owner, "chat", "")
        await store.begin(owner, thread.id, f"run-of-{user}", "hello")
        await engine.dispose()

    asyncio.run(begin())


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(folder / "data" / "gatehouse.db") as database:
        return list(database.execute(query))


class TestErase:
    def test_erases_the_user_and_says_how_much(self, run: Run, migrated: Path) -> None:
        for user in ("alice", "bob"):
            begun(migrated, user)
            data_of(run("keys", "create", "--tenant", "acme", "--user", user, "--scope", "*", "--json"))
        erased = data_of(run("erase", "alice", "--tenant", "acme", "--yes", "--json"))
        assert (erased["threads"], erased["messages"], erased["api_keys"], erased["runs"]) == (1, 1, 1, 0)
        assert rows(migrated, "SELECT user_id FROM threads") == [("bob",)]
        assert rows(migrated, "SELECT user_id FROM api_keys") == [("bob",)]
        record = "SELECT tenant_id, subject FROM audit_log WHERE action = 'user.erase'"
        assert rows(migrated, record) == [("acme", "alice")]

    def test_asks_first(self, run: Run, migrated: Path) -> None:
        begun(migrated, "alice")
        result = run("erase", "alice", "--tenant", "acme", stdin="n\n")
        assert result.exit_code != 0
        assert rows(migrated, "SELECT user_id FROM threads") == [("alice",)]

    def test_a_user_of_whom_nothing_is_known_is_erased_too(self, run: Run, migrated: Path) -> None:
        assert not any(data_of(run("erase", "nobody", "--tenant", "acme", "--yes", "--json")).values())

    def test_names_the_tenant(self, run: Run, migrated: Path) -> None:
        assert "--tenant" in misuse_of(run("erase", "alice"))
