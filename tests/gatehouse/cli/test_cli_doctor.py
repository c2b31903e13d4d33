"""`gatehouse doctor`."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import jwt
import pytest
from cli_results import Run, data_of
from cryptography.hazmat.primitives.asymmetric import ec
from live_server import LiveServer, free_port

PUBLIC_KEY = ec.generate_private_key(ec.SECP256R1()).public_key()
JWK = {**jwt.algorithms.ECAlgorithm.to_jwk(PUBLIC_KEY, as_dict=True), "kid": "one"}
PARTS = ["settings", "data folder", "database", "Redis", "identity", "chat model", "runnables", "port"]


@pytest.fixture(autouse=True)
def port(home: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    port = free_port()
    monkeypatch.setenv("PORT", str(port))
    return port


def found(run: Run, part: str) -> tuple[str, str]:
    """Return the state and the detail of one part, when the exit code fits what was found."""
    result = run("doctor", "--json")
    findings = {finding["part"]: finding for finding in json.loads(result.stdout)}
    failed = any(finding["state"] == "failed" for finding in findings.values())
    assert result.exit_code == (1 if failed else 0)
    return findings[part]["state"], findings[part]["detail"]


class TestHealthy:
    def test_all_parts_are_ok(self, run: Run, migrated: Path) -> None:
        findings = data_of(run("doctor", "--json"))
        assert [finding["part"] for finding in findings] == PARTS
        assert {finding["state"] for finding in findings} == {"ok"}

    def test_prints_one_line_a_part(self, run: Run, migrated: Path) -> None:
        lines = run("doctor").stdout.splitlines()
        assert len(lines) == len(PARTS)
        assert lines[2] == "ok      database    sqlite, its schema is up to date"


class TestSettings:
    def test_wrong_ones_are_told_and_nothing_else_is_tested(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PORT", "eighty")
        result = run("doctor")
        assert result.exit_code == 1
        assert result.stdout.startswith("failed  settings    PORT: Input should be a valid integer")
        assert len(result.stdout.splitlines()) == 1

    def test_development_that_others_reach_is_doubtful(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GATEHOUSE_HOST", "0.0.0.0")
        state, detail = found(run, "settings")
        assert (state, "GATEHOUSE_ENVIRONMENT=production" in detail) == ("warning", True)

    def test_production_needs_no_data_folder(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in {
            "ENVIRONMENT": "production",
            "DATABASE_URL": "sqlite+aiosqlite:///gatehouse.db",
            "REDIS_URL": "redis://127.0.0.1:1",
            "API_KEY_PEPPER": "x" * 32,
            "JWT_SECRET": "x" * 32,
            "DATA_DIR": "/proc/nothing",
        }.items():
            monkeypatch.setenv(f"GATEHOUSE_{name}", value)
        assert found(run, "settings") == ("ok", "production")
        assert found(run, "data folder") == ("ok", "not used in production")


class TestDataFolder:
    def test_that_cannot_be_written_fails(
        self, run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (home / "file").touch()
        monkeypatch.setenv("GATEHOUSE_DATA_DIR", "file/data")
        monkeypatch.setenv("GATEHOUSE_DATABASE_URL", "sqlite+aiosqlite://")
        state, detail = found(run, "data folder")
        assert (state, "GATEHOUSE_DATA_DIR" in detail) == ("failed", True)
        assert found(run, "identity")[0] == "failed"


class TestDatabase:
    def test_without_schema_fails(self, run: Run) -> None:
        state, detail = found(run, "database")
        assert (state, "run gatehouse db upgrade" in detail) == ("failed", True)

    def test_that_cannot_be_used_fails_and_leaves_the_runnables_untested(
        self, run: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(
            "GATEHOUSE_DATABASE_URL", "postgresql+psycopg://user:hunter2@db/x?prepare_threshold=soon"
        )
        state, detail = found(run, "database")
        assert (state, "GATEHOUSE_DATABASE_URL" in detail, "hunter2" in detail) == ("failed", True, False)
        assert found(run, "runnables")[0] == "warning"

    def test_with_a_superuser_is_doubtful(
        self, run: Run, postgres_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.cli.stores.why_not_ready", lambda *_: ready(), raising=False)
        monkeypatch.setattr("gatehouse.storage.schema.why_not_ready", lambda *_: ready())
        monkeypatch.setenv("GATEHOUSE_DATABASE_URL", postgres_url)
        state, detail = found(run, "database")
        assert (state, "superuser" in detail) == ("warning", True)


async def ready() -> None:
    """Nothing is wrong with the schema."""


class TestRedis:
    def test_a_real_one_is_told_by_its_version(
        self, run: Run, redis_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GATEHOUSE_REDIS_URL", redis_url)
        state, detail = found(run, "Redis")
        assert (state, detail.split()[0]) == ("ok", "version")

    def test_one_that_is_too_old_fails(
        self, run: Run, redis_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("GATEHOUSE_REDIS_URL", redis_url)
        monkeypatch.setattr("gatehouse.cli.doctor.checks.OLDEST_REDIS", (99, 0))
        state, detail = found(run, "Redis")
        assert (state, "6.2 or newer" in detail) == ("failed", True)

    @pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "nonsense"])
    def test_one_that_cannot_be_used_fails(self, run: Run, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        monkeypatch.setenv("GATEHOUSE_REDIS_URL", url)
        state, detail = found(run, "Redis")
        assert (state, "GATEHOUSE_REDIS_URL" in detail) == ("failed", True)


class TestIdentity:
    @pytest.mark.parametrize("name", ["JWT_SECRET", "API_KEY_PEPPER"])
    def test_a_weak_secret_fails(self, run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(f"GATEHOUSE_{name}", "short")
        state, detail = found(run, "identity")
        assert (state, f"GATEHOUSE_{name}" in detail) == ("failed", True)

    @pytest.mark.parametrize("name", ["issuer", "jwks_url"])
    def test_an_issuer_that_is_down_fails(self, run: Run, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(f"GATEHOUSE_{name.upper()}", "http://127.0.0.1:1/realm")
        state, detail = found(run, "identity")
        assert (state, "http://127.0.0.1:1/realm" in detail) == ("failed", True)

    def test_an_issuer_to_sign_in_at_is_named(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, issuer: str
    ) -> None:
        monkeypatch.setenv("GATEHOUSE_ISSUER", issuer)
        monkeypatch.setenv("GATEHOUSE_OIDC_CLIENT_ID", "web")
        assert found(run, "identity") == (
            "ok", f"tokens of {issuer} (ES256), API keys, sign-in as its client web"
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("variable", "value", "told"),
        [
            ("GATEHOUSE_AUDIENCE", "web", "GATEHOUSE_AUDIENCE is the GATEHOUSE_OIDC_CLIENT_ID"),
            ("GATEHOUSE_CLAIM_TENANT_ID", "a..b", "GATEHOUSE_CLAIM_TENANT_ID"),
            ("GATEHOUSE_ISSUER", "/plain", "does not take PKCE with S256"),
            ("GATEHOUSE_ISSUER", "/silent", "names no endpoints for signing in"),
        ],
    )
    def test_an_issuer_that_cannot_be_signed_in_at_fails(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, issuer: str, variable: str, value: str, told: str
    ) -> None:
        monkeypatch.setenv("GATEHOUSE_ISSUER", issuer)
        monkeypatch.setenv("GATEHOUSE_OIDC_CLIENT_ID", "web")
        monkeypatch.setenv(variable, issuer + value if value.startswith("/") else value)
        state, detail = found(run, "identity")
        assert (state, told in detail) == ("failed", True)


class Publishing(http.server.BaseHTTPRequestHandler):
    """Three issuers, and the keys of all."""

    def do_GET(self) -> None:
        name = self.path.removesuffix("/.well-known/openid-configuration")
        url = f"http://{self.headers['host']}"
        about = {"issuer": url + name, "jwks_uri": f"{url}/jwks", "authorization_endpoint": f"{url}/auth"}
        if name != "/silent":
            about["token_endpoint"] = f"{url}/token"
        if name == "/plain":
            about["code_challenge_methods_supported"] = ["plain"]  # type: ignore[assignment]
        body = json.dumps({"keys": [JWK]} if self.path == "/jwks" else about).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def issuer() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Publishing) as issuer:
        threading.Thread(target=issuer.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{issuer.server_port}"
        issuer.shutdown()


class Refusing(http.server.BaseHTTPRequestHandler):
    """A provider that accepts no key, and repeats the one that it got."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"error": {"message": "Incorrect API key provided: sk-hunter2hunter2"}}'
        self.send_response(401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def refusing_provider() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as provider:
        threading.Thread(target=provider.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{provider.server_port}/v1"
        provider.shutdown()


class TestChatModel:
    def test_an_unknown_one_fails(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_MODEL", "nonsense")
        state, detail = found(run, "chat model")
        assert (state, "GATEHOUSE_MODEL=nonsense" in detail) == ("failed", True)

    def test_one_that_refuses_the_key_fails_without_telling_it(
        self, run: Run, monkeypatch: pytest.MonkeyPatch, refusing_provider: str
    ) -> None:
        monkeypatch.setenv("GATEHOUSE_MODEL", "openai")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-hunter2hunter2")
        monkeypatch.setenv("OPENAI_BASE_URL", refusing_provider)
        state, detail = found(run, "chat model")
        assert (state, "AuthenticationError" in detail, "hunter2" in detail) == ("failed", True, False)

    def test_one_that_is_silent_fails_in_time(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}/v1")
            monkeypatch.setenv("GATEHOUSE_MODEL", "openai")
            monkeypatch.setattr("gatehouse.cli.doctor.checks.MODEL_SECONDS", 1)
            state, detail = found(run, "chat model")
        assert (state, "did not answer within 1 s" in detail) == ("failed", True)

    def test_one_that_fails_is_told(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gatehouse.cli.doctor.checks.QUESTION", "[fail no such deployment]")
        state, detail = found(run, "chat model")
        assert (state, "ScriptedFailure: no such deployment" in detail) == ("failed", True)

    def test_the_fallback_is_asked_too(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_FALLBACK_MODEL", "scripted")
        state, detail = found(run, "chat model")
        assert (state, detail.count("answers")) == ("ok", 2)

    def test_a_fallback_that_fails_is_named(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_FALLBACK_MODEL", "nonsense")
        state, detail = found(run, "chat model")
        assert (state, "but GATEHOUSE_FALLBACK_MODEL: " in detail) == ("failed", True)


class TestRunnables:
    def test_a_failing_factory_is_named(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_REGISTRY", "broken_registries:UNBUILT")
        state, detail = found(run, "runnables")
        assert state == "failed"
        cause = "its factory failed: RuntimeError: no such prompt"
        assert detail == f"broken_registries:UNBUILT: /broken: {cause}"

    def test_so_is_a_failing_tool(self, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GATEHOUSE_REGISTRY", "broken_registries:UNEQUIPPED")
        state, detail = found(run, "runnables")
        assert state == "failed"
        cause = "its factory failed: RuntimeError: no such table"
        assert detail == f"broken_registries:UNEQUIPPED: /broken: tool broken_tool: {cause}"


class TestPort:
    def test_one_in_use_fails(self, run: Run, port: int) -> None:
        with socket.create_server(("127.0.0.1", port)):
            state, detail = found(run, "port")
        assert (state, "--port" in detail) == ("failed", True)

    def test_one_that_gatehouse_itself_uses_is_only_doubtful(
        self, run: Run, server: LiveServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PORT", str(server.port))
        assert found(run, "port") == ("warning", f"{server.port} is in use by a Gatehouse that runs already")
