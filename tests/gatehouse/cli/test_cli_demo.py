"""`gatehouse demo seed`, and the keys that it keeps."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from cli_results import Run, data_of, failure_of

from gatehouse.cli.stores import open_api_keys
from gatehouse.identity.principal import Principal
from gatehouse.settings import Settings


def principal_of(key: str) -> Principal:
    async def verify() -> Principal:
        async with open_api_keys(Settings()) as api_keys:
            return await api_keys.verify(key)

    return asyncio.run(verify())


class TestSeed:
    def test_adds_the_customers(self, run: Run, migrated: Path) -> None:
        seeded = data_of(run("demo", "seed", "--json"))
        assert seeded["inserted"] is True
        alice = {
            "tenant_id": "acme",
            "user_id": "alice",
            "name": "Alice Martin",
            "portfolio_id": "acme-alice-1",
        }
        assert alice in seeded["customers"]
        assert len(seeded["customers"]) == 5

    def test_their_keys_stand_for_them(self, run: Run, migrated: Path) -> None:
        keys = data_of(run("demo", "seed", "--json"))["keys"]
        alice, bob = principal_of(keys["alice"]), principal_of(keys["bob"])
        assert (alice.tenant_id, alice.user_id, alice.name) == ("acme", "alice", "Alice Martin")
        assert (bob.tenant_id, bob.user_id, bob.claims) == ("beta", "bob", {"portfolio_id": "beta-bob-1"})
        assert alice.may("runnable:agent")

    def test_again_changes_nothing(self, run: Run, migrated: Path) -> None:
        first = data_of(run("demo", "seed", "--json"))
        second = data_of(run("demo", "seed", "--json"))
        assert second == {**first, "inserted": False}
        with sqlite3.connect(migrated / "data" / "gatehouse.db") as database:
            assert database.execute("select count(*) from api_keys").fetchone() == (2,)
        database.close()

    def test_tells_whose_keys_are_whose(self, run: Run, migrated: Path) -> None:
        lines = run("demo", "seed").stdout.splitlines()
        assert lines[0] == "The demo's customers were added."
        assert lines[1].startswith("alice of acme: gh_dev_")
        assert lines[2].startswith("bob of beta: gh_dev_")
        assert run("demo", "seed").stdout.splitlines()[0] == "The demo's customers are there."

    def test_quietly_prints_nothing(self, run: Run, migrated: Path) -> None:
        result = run("demo", "seed", "--quiet")
        assert (result.exit_code, result.output) == (0, "")

    def test_needs_the_schema(self, run: Run) -> None:
        assert "run gatehouse db upgrade" in failure_of(run("demo", "seed"))

    def test_is_refused_in_production(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_ENVIRONMENT", "production")
        monkeypatch.setenv("GATEHOUSE_DATABASE_URL", "sqlite+aiosqlite:///gatehouse.db")
        monkeypatch.setenv("GATEHOUSE_REDIS_URL", "redis://127.0.0.1:1")
        monkeypatch.setenv("GATEHOUSE_API_KEY_PEPPER", "x" * 32)
        monkeypatch.setenv("GATEHOUSE_JWT_SECRET", "x" * 32)
        assert failure_of(run("demo", "seed")).startswith("demo seed is for development")


class TestKeptKeys:
    @pytest.fixture
    def file(self, migrated: Path) -> Path:
        return migrated / "data" / "demo-keys.json"

    def keys(self, run: Run) -> dict[str, str]:
        keys: dict[str, str] = data_of(run("demo", "seed", "--json"))["keys"]
        return keys

    def test_are_readable_by_their_owner_only(self, run: Run, file: Path) -> None:
        keys = self.keys(run)
        assert json.loads(file.read_text()) == keys
        assert file.stat().st_mode & 0o777 == 0o600
        assert list(file.parent.glob(".demo-keys*")) == []

    def test_a_revoked_one_is_replaced_and_the_other_stays(self, run: Run, file: Path) -> None:
        before = self.keys(run)
        assert run("keys", "revoke", before["alice"].split("_")[2]).exit_code == 0
        after = self.keys(run)
        assert after["alice"] != before["alice"]
        assert after["bob"] == before["bob"]
        assert principal_of(after["alice"]).user_id == "alice"
        assert json.loads(file.read_text()) == after

    def test_a_key_of_somebody_else_is_replaced(self, run: Run, file: Path) -> None:
        keys = self.keys(run)
        file.write_text(json.dumps({"alice": keys["bob"], "bob": keys["bob"]}))
        assert principal_of(self.keys(run)["alice"]).user_id == "alice"

    @pytest.mark.parametrize("content", ["", "not JSON", "[]", '{"alice": 1}', '{"alice": "nonsense"}'])
    def test_a_file_that_is_not_ours_is_replaced(self, run: Run, file: Path, content: str) -> None:
        file.write_text(content)
        keys = self.keys(run)
        assert json.loads(file.read_text()) == keys
        assert principal_of(keys["alice"]).user_id == "alice"

    def test_a_folder_that_cannot_keep_them_is_told(self, run: Run, file: Path) -> None:
        file.mkdir()
        line = failure_of(run("demo", "seed"))
        assert line == "data folder: data cannot keep the demo's keys (Is a directory)"
