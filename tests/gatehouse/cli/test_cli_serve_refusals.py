"""What `gatehouse serve` refuses to start with: one line that names the part."""

import socket
from pathlib import Path

import pytest
from cli_results import Run, failure_of
from live_server import free_port

PRODUCTION = {
    "GATEHOUSE_ENVIRONMENT": "production",
    "GATEHOUSE_DATABASE_URL": "sqlite+aiosqlite:///gatehouse.db",
    "GATEHOUSE_REDIS_URL": "redis://127.0.0.1:1",
    "GATEHOUSE_API_KEY_PEPPER": "x" * 32,
    "GATEHOUSE_JWT_SECRET": "x" * 32,
}


@pytest.fixture(autouse=True)
def port(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", str(free_port()))


def test_port_in_use(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        line = failure_of(run("serve", "--port", port))
    assert line.startswith(f"cannot listen on 127.0.0.1 port {port} (Address already in use)")


def test_address_that_is_not_ours(run: Run) -> None:
    assert failure_of(run("serve", "--host", "192.0.2.1")).startswith("cannot listen on 192.0.2.1 port")


def test_database_without_schema(run: Run) -> None:
    assert "run gatehouse db upgrade" in failure_of(run("serve"))


@pytest.mark.usefixtures("migrated")
@pytest.mark.parametrize(
    ("seed", "complaint"),
    [
        ("nowhere:seed", "--seed nowhere:seed: No module named 'nowhere'"),
        ("tools.portfolio.seed:sow", "--seed tools.portfolio.seed:sow: module"),
        ("tools/portfolio", "--seed tools/portfolio: invalid format"),
    ],
)
def test_seed_that_is_not_there(run: Run, seed: str, complaint: str) -> None:
    assert failure_of(run("serve", "--seed", seed)).startswith(complaint)


def test_seed_in_production(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    line = failure_of(run("serve", "--upgrade", "--seed", "tools.portfolio.seed:seed"))
    assert line.startswith("--seed: its data is for development")
    assert not (home / "gatehouse.db").exists()


@pytest.mark.usefixtures("migrated")
@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        (
            "GATEHOUSE_RUN_DEADLINE",
            "soon",
            "settings: GATEHOUSE_RUN_DEADLINE: Input should be a valid number",
        ),
        ("GATEHOUSE_ENVIRONMENT", "production", "settings: production needs GATEHOUSE_DATABASE_URL"),
        ("GATEHOUSE_DATABASE_URL", "no://u:hunter2@db", "settings: GATEHOUSE_DATABASE_URL: no address of a"),
        ("GATEHOUSE_REDIS_URL", "redis://127.0.0.1:1", "Redis: GATEHOUSE_REDIS_URL cannot be reached"),
        ("GATEHOUSE_JWT_SECRET", "short", "authentication: GATEHOUSE_JWT_SECRET has 5 bytes"),
        ("GATEHOUSE_START_LINK", "short", "authentication: GATEHOUSE_START_LINK has 5 characters"),
        ("GATEHOUSE_MODEL", "nonsense", "chat model: GATEHOUSE_MODEL=nonsense is not known"),
    ],
)
def test_part_that_cannot_work(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(variable, value)
    line = failure_of(run("serve"))
    assert line.startswith(complaint)
    assert "hunter2" not in line


def test_start_link_in_production(run: Run, monkeypatch: pytest.MonkeyPatch, redis_url: str) -> None:
    assert run("db", "upgrade").exit_code == 0
    variables = {**PRODUCTION, "GATEHOUSE_REDIS_URL": redis_url, "GATEHOUSE_START_LINK": "l" * 43}
    for name, value in {
        **variables,
        "GATEHOUSE_DATABASE_URL": "sqlite+aiosqlite:///data/gatehouse.db",
    }.items():
        monkeypatch.setenv(name, value)
    assert "development only" in failure_of(run("serve"))


@pytest.mark.usefixtures("migrated")
@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("UNDESCRIBED", "/broken: the description is missing"),
        ("UNBUILT", "/broken: its factory failed: RuntimeError: no such prompt"),
    ],
)
def test_registry_that_cannot_be_served(run: Run, name: str, cause: str) -> None:
    registry = f"broken_registries:{name}"
    assert failure_of(run("serve", registry)) == f"registry: {registry}: {cause}"


@pytest.mark.usefixtures("migrated")
def test_keys_that_cannot_be_kept(run: Run, home: Path) -> None:
    (home / "data" / "development-keys.json").mkdir()
    assert failure_of(run("serve")) == "data folder: data cannot keep the API keys (Is a directory)"
