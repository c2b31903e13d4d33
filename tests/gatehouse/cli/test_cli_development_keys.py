"""The API keys of a development server's users, and the file that keeps them."""

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from cli_results import Run

from gatehouse.cli.failure import Failed
from gatehouse.cli.serving.development_keys import development_keys
from gatehouse.cli.stores import open_api_keys
from gatehouse.identity.principal import Principal
from gatehouse.settings import Settings


def principal_of(key: str) -> Principal:
    async def verify() -> Principal:
        async with open_api_keys(Settings()) as api_keys:
            return await api_keys.verify(key)

    return asyncio.run(verify())


def keys() -> dict[str, str]:
    """Return the text of every user's key, as a start of the server finds or makes them."""

    async def made() -> dict[str, str]:
        settings = Settings()
        async with open_api_keys(settings) as api_keys:
            found = await development_keys(api_keys, settings.data_dir)
        return {key.user.user_id: key.key for key in found}

    return asyncio.run(made())


@pytest.fixture
def file(migrated: Path) -> Path:
    return migrated / "data" / "development-keys.json"


def test_stand_for_their_users(file: Path) -> None:
    made = keys()
    alice, bob = principal_of(made["alice"]), principal_of(made["bob"])
    assert (alice.tenant_id, alice.user_id, alice.name) == ("acme", "alice", "Alice Martin")
    assert (bob.tenant_id, bob.user_id) == ("beta", "bob")
    assert alice.may("runnable:agent")


def test_stay_the_same(file: Path, migrated: Path) -> None:
    assert keys() == keys()
    with sqlite3.connect(migrated / "data" / "gatehouse.db") as database:
        assert database.execute("select count(*) from api_keys").fetchone() == (2,)
    database.close()


def test_are_readable_by_their_owner_only(file: Path) -> None:
    made = keys()
    assert json.loads(file.read_text()) == made
    assert file.stat().st_mode & 0o777 == 0o600
    assert list(file.parent.glob(".development-keys*")) == []


def test_a_revoked_one_is_replaced_and_the_other_stays(run: Run, file: Path) -> None:
    before = keys()
    assert run("keys", "revoke", before["alice"].split("_")[2]).exit_code == 0
    after = keys()
    assert after["alice"] != before["alice"]
    assert after["bob"] == before["bob"]
    assert principal_of(after["alice"]).user_id == "alice"
    assert json.loads(file.read_text()) == after


def test_a_key_of_somebody_else_is_replaced(file: Path) -> None:
    made = keys()
    file.write_text(json.dumps({"alice": made["bob"], "bob": made["bob"]}))
    assert principal_of(keys()["alice"]).user_id == "alice"


@pytest.mark.parametrize("content", ["", "not JSON", "[]", '{"alice": 1}', '{"alice": "nonsense"}'])
def test_a_file_that_is_not_ours_is_replaced(file: Path, content: str) -> None:
    file.write_text(content)
    made = keys()
    assert json.loads(file.read_text()) == made
    assert principal_of(made["alice"]).user_id == "alice"


def test_a_folder_that_cannot_keep_them_is_told(file: Path) -> None:
    file.mkdir()
    with pytest.raises(Failed, match=r"^data folder: data cannot keep the API keys \(Is a directory\)"):
        keys()


def test_so_is_one_of_the_same_name_in_another_tenant(file: Path) -> None:
    async def of_a_namesake() -> str:
        async with open_api_keys(Settings()) as api_keys:
            created = await api_keys.create(tenant_id="beta", user_id="alice", name="Alice", scopes=["*"])
        return created.key

    keys()
    file.write_text(json.dumps({"alice": asyncio.run(of_a_namesake())}))
    assert principal_of(keys()["alice"]).tenant_id == "acme"
