"""`gatehouse keys`."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest
from cli_results import Run, data_of, failure_of, misuse_of

from gatehouse.audit.reading import Wanted, audit_page
from gatehouse.cli.stores import open_api_keys, open_database
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InvalidCredential
from gatehouse.settings import Settings

pytestmark = pytest.mark.usefixtures("migrated")

OF_ALICE = ("keys", "create", "--tenant", "acme", "--user", "alice")


def verify(key: str) -> Principal:
    async def principal() -> Principal:
        async with open_api_keys(Settings()) as api_keys:
            return await api_keys.verify(key)

    return asyncio.run(principal())


def created(run: Run, *options: str) -> dict[str, Any]:
    key: dict[str, Any] = data_of(run(*OF_ALICE, "--json", *options))
    return key


def lifetime_of(key: dict[str, Any]) -> timedelta:
    return datetime.fromisoformat(key["expires_at"]) - datetime.fromisoformat(key["created_at"])


async def audited() -> list[tuple[str, str, dict[str, Any]]]:
    """Return what is on record in acme: action, subject and details, the oldest first."""
    async with open_database(Settings()) as engine:
        page = await audit_page(engine, "acme", Wanted(), 100, None)
    return [(row.action, row.subject, row.details) for row in reversed(page.items)]


def test_every_change_is_on_record(run: Run) -> None:
    key = created(run, "--scope", "runnable:chat")
    rotated = data_of(run("keys", "rotate", key["id"], "--json"))
    assert run("keys", "revoke", rotated["id"]).exit_code == 0
    about = {"by": "gatehouse keys", "user": "alice", "scopes": "runnable:chat"}
    assert asyncio.run(audited()) == [
        ("key.create", key["id"], about),
        ("key.rotate", rotated["id"], {**about, "old": key["id"]}),
        ("key.revoke", rotated["id"], about),
    ]


class TestCreate:
    def test_prints_a_key_that_works(self, run: Run) -> None:
        options = (
            "--name",
            "Alice",
            "--scope",
            "runnable:chat",
            "--scope",
            "runnable:agent",
            "--plan",
            "gold",
        )
        key = created(run, *options, "--claim", "portfolio_id=acme-alice-1")
        assert (key["scopes"], key["plan"]) == (["runnable:agent", "runnable:chat"], "gold")
        assert (key["expires_at"], key["state"]) == (None, "works")
        principal = verify(key["key"])
        assert (principal.tenant_id, principal.user_id, principal.name) == ("acme", "alice", "Alice")
        assert principal.credential_id == key["id"]
        assert principal.claims == {"portfolio_id": "acme-alice-1"}

    def test_for_people_the_key_alone_is_on_stdout(self, run: Run) -> None:
        result = run(*OF_ALICE, "--scope", "*")
        assert verify(result.stdout.removesuffix("\n")).may("runnable:agent")
        assert "shown now and never again" in result.stderr

    def test_can_expire(self, run: Run) -> None:
        assert lifetime_of(created(run, "--expires", "30d")).days in (29, 30)

    def test_warns_of_a_key_that_may_call_nothing(self, run: Run) -> None:
        assert "has no scope" in run(*OF_ALICE, "--json").stderr
        assert "has no scope" not in run(*OF_ALICE, "--json", "--scope", "*").stderr

    @pytest.mark.parametrize(
        ("options", "complaint"),
        [
            (("--expires", "soon"), "'--expires': 'soon' is no duration"),
            (("--expires", "0d"), "'--expires': it would be over at once"),
            (("--scope", "a b"), "--scope: 'a b' is no scope"),
            (("--claim", "portfolio"), "--claim: 'portfolio' is no claim"),
            (("--claim", "user_id=bob"), "--claim: user_id is set by Gatehouse itself"),
            (("--plan", "Gold Plan"), "'--plan': 'Gold Plan' is no plan"),
            (("--name", "a\nb"), "'--name': a name needs 1 to 255 printable characters"),
            (("--user", ""), "'--user': a name needs 1 to 255 printable characters"),
        ],
    )
    def test_refuses_what_it_does_not_understand(
        self, run: Run, options: tuple[str, ...], complaint: str
    ) -> None:
        assert f"Invalid value for {complaint}" in misuse_of(run(*OF_ALICE, *options))
        assert data_of(run("keys", "list", "--json")) == []

    def test_needs_a_user_and_a_tenant(self, run: Run) -> None:
        assert "Missing option '--tenant'" in misuse_of(run("keys", "create", "--user", "alice"))
        assert "Missing option '--user'" in misuse_of(run("keys", "create", "--tenant", "acme"))

    def test_needs_a_pepper_that_is_long_enough(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_API_KEY_PEPPER", "short")
        assert failure_of(run(*OF_ALICE)).startswith("API keys: GATEHOUSE_API_KEY_PEPPER has a pepper of 5")


class TestList:
    def test_tells_everything_but_the_keys(self, run: Run) -> None:
        key = created(run, "--scope", "*")
        secret = key.pop("key")
        result = run("keys", "list", "--json")
        assert data_of(result) == [key]
        assert secret not in result.output + run("keys", "list").output

    def test_of_one_tenant(self, run: Run) -> None:
        created(run)
        data_of(run("keys", "create", "--tenant", "beta", "--user", "bob", "--json"))
        assert [key["user_id"] for key in data_of(run("keys", "list", "--tenant", "beta", "--json"))] == [
            "bob"
        ]
        assert data_of(run("keys", "list", "--tenant", "nobody", "--json")) == []

    def test_as_a_table_cuts_nothing(self, run: Run) -> None:
        name, scopes = "A name that is rather long, as names go", [f"runnable:number-{n}" for n in range(4)]
        key = created(run, "--name", name, *(f"--scope={scope}" for scope in scopes))
        head, *_, line = run("keys", "list").stdout.splitlines()
        assert head.split() == ["id", "user", "name", "scopes", "expires", "last", "used", "state"]
        for text in (key["id"], "alice of acme", name, " ".join(scopes), "never", "works"):
            assert text in line

    def test_says_when_there_is_none(self, run: Run) -> None:
        assert run("keys", "list").stdout == "There is no API key.\n"


class TestRotate:
    def test_the_new_key_has_the_old_one_s_owner_scopes_and_length_of_life(self, run: Run) -> None:
        old = created(run, "--scope", "runnable:chat", "--expires", "30d", "--claim", "portfolio_id=p")
        new = data_of(run("keys", "rotate", old["id"], "--json"))
        same = ("tenant_id", "user_id", "scopes", "claims")
        assert [new[name] for name in same] == [old[name] for name in same]
        assert new["id"] != old["id"]
        assert abs(lifetime_of(new) - lifetime_of(old)) < timedelta(seconds=1)
        assert verify(new["key"]).user_id == "alice"

    def test_the_old_key_works_for_the_overlap(self, run: Run) -> None:
        old = created(run)
        data_of(run("keys", "rotate", old["id"], "--overlap", "90m", "--json"))
        kept = data_of(run("keys", "list", "--json"))[0]
        assert timedelta(minutes=89) < lifetime_of(kept) < timedelta(minutes=92)
        assert verify(old["key"]).user_id == "alice"

    def test_the_overlap_is_an_hour_when_not_said(self, run: Run) -> None:
        old = created(run)
        assert run("keys", "rotate", old["id"]).exit_code == 0
        assert (
            timedelta(minutes=59)
            < lifetime_of(data_of(run("keys", "list", "--json"))[0])
            < timedelta(minutes=62)
        )

    def test_without_overlap_the_old_key_ends_at_once(self, run: Run) -> None:
        old = created(run)
        data_of(run("keys", "rotate", old["id"], "--overlap", "0s", "--json"))
        with pytest.raises(InvalidCredential):
            verify(old["key"])
        assert data_of(run("keys", "list", "--json"))[0]["state"] == "expired"

    def test_of_an_unknown_or_revoked_key_fails(self, run: Run) -> None:
        assert "no such API key" in failure_of(run("keys", "rotate", "nobody"))
        key = created(run)
        run("keys", "revoke", key["id"])
        assert "no longer works" in failure_of(run("keys", "rotate", key["id"]))

    def test_of_a_bad_overlap_is_not_understood(self, run: Run) -> None:
        assert "'--overlap'" in misuse_of(run("keys", "rotate", "x", "--overlap", "soon"))


class TestRevoke:
    def test_the_key_works_no_longer(self, run: Run) -> None:
        key = created(run)
        assert run("keys", "revoke", key["id"]).stdout == f"{key['id']} is revoked.\n"
        with pytest.raises(InvalidCredential):
            verify(key["key"])
        assert data_of(run("keys", "list", "--json"))[0]["state"] == "revoked"

    def test_of_an_unknown_key_fails(self, run: Run) -> None:
        assert failure_of(run("keys", "revoke", "nobody")) == "There is no such API key."
