"""`gatehouse token`."""

import json
import time
from pathlib import Path

import pytest
from cli_results import Run, data_of, failure_of, misuse_of

from gatehouse.auth.tokens.jwt import JwtVerifier
from gatehouse.identity.principal import Principal
from gatehouse.settings import Settings

OF_ALICE = ("token", "--user", "alice", "--tenant", "acme")


def verify(token: str) -> Principal:
    return JwtVerifier.from_settings(Settings()).verify(token)


class TestToken:
    def test_is_one_that_the_server_accepts(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_CLAIMS", "portfolio_id")
        options = ("--name", "Alice", "--scope", "runnable:chat", "--claim", "portfolio_id=acme-alice-1")
        principal = verify(run(*OF_ALICE, *options).stdout.strip())
        assert (principal.tenant_id, principal.user_id, principal.name) == ("acme", "alice", "Alice")
        assert principal.scopes == {"runnable:chat"}
        assert principal.claims == {"portfolio_id": "acme-alice-1"}

    def test_works_for_an_hour_when_not_said(self, run: Run) -> None:
        issued = data_of(run(*OF_ALICE, "--json"))
        assert (issued["token_type"], issued["expires_in"]) == ("Bearer", 3600)
        assert abs((verify(issued["token"]).expires_at or 0) - time.time() - 3600) < 60

    def test_works_as_long_as_said(self, run: Run) -> None:
        assert data_of(run(*OF_ALICE, "--json", "--expires", "90m"))["expires_in"] == 5400

    def test_is_signed_with_the_configured_secret(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_JWT_SECRET", "s" * 32)
        assert verify(run(*OF_ALICE).stdout.strip()).user_id == "alice"

    def test_needs_no_database(self, run: Run, home: Path) -> None:
        assert run(*OF_ALICE).exit_code == 0
        assert [file.name for file in (home / "data").iterdir()] == ["jwt_secret"]


class TestRefusals:
    def test_in_production(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {
            "ENVIRONMENT": "production",
            "DATABASE_URL": "sqlite+aiosqlite:///gatehouse.db",
            "REDIS_URL": "redis://127.0.0.1:1",
            "API_KEY_PEPPER": "x" * 32,
            "JWT_SECRET": "x" * 32,
        }.items():
            monkeypatch.setenv(f"GATEHOUSE_{name}", value)
        assert "is production" in failure_of(run(*OF_ALICE))

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("JWT_PUBLIC_KEY_FILE", "issuer.pem"),
            ("JWKS_FILE", "keys.json"),
            ("JWKS_URL", "https://issuer.example/keys"),
        ],
    )
    def test_where_another_issuer_has_the_private_key(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(f"GATEHOUSE_{name}", value)
        assert f"the issuer of GATEHOUSE_{name}" in failure_of(run(*OF_ALICE))

    def test_where_the_issuer_is_on_the_network(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_ISSUER", "https://issuer.example")
        assert "tokens come from https://issuer.example" in failure_of(run(*OF_ALICE))

    def test_where_the_server_takes_no_hs256(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_JWT_ALGORITHMS", "HS512")
        assert "signs with HS256" in failure_of(run(*OF_ALICE))

    def test_of_a_secret_that_is_too_short(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_JWT_SECRET", "short")
        assert failure_of(run(*OF_ALICE)).startswith("authentication: GATEHOUSE_JWT_SECRET has 5 bytes")

    def test_of_a_life_that_the_server_would_not_take(self, run: Run) -> None:
        assert "at most 1 day" in failure_of(run(*OF_ALICE, "--expires", "86401s"))
        assert data_of(run(*OF_ALICE, "--json", "--expires", "1d"))["expires_in"] == 86_400

    @pytest.mark.parametrize(
        "options",
        [("--expires", "0s"), ("--scope", ""), ("--claim", "exp=1"), ("--name", "\x07")],
        ids=json.dumps,
    )
    def test_of_what_it_does_not_understand(self, run: Run, options: tuple[str, ...]) -> None:
        assert options[0] in misuse_of(run(*OF_ALICE, *options))
