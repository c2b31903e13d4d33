"""What commands import: LangChain takes seconds, and most of them have no use for it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from live_server import PYTHONPATH, LiveServer

HEAVY = {"fastapi", "langchain", "langchain_core", "langchain_openai", "langgraph", "langserve", "openai"}
PROBE = """
import sys
try:
    exec(sys.argv.pop(1))
finally:
    print("imported:", *sys.modules)
"""
COMMAND = "from gatehouse.cli import main; main()"
UP_AND_GONE = """
from uvicorn import Server
start = Server.startup
async def startup(server, sockets):
    await start(server, sockets)
    server.should_exit = True
Server.startup = startup
"""


def imported_by(code: str, *arguments: str, folder: Path, **environment: str) -> set[str]:
    """Return the modules that a fresh process has imported in the end."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, code, *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": PYTHONPATH,
            "GATEHOUSE_DATA_DIR": str(folder),
            **environment,
        },
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize(
    "module", ["gatehouse.settings.settings", "gatehouse.cli", "gatehouse.settings.model"]
)
def test_a_module(module: str, tmp_path: Path) -> None:
    found = imported_by(f"import {module}", folder=tmp_path)
    assert module.partition(".")[0] in found
    assert not found & HEAVY


def test_help(tmp_path: Path) -> None:
    found = imported_by(COMMAND, "--help", folder=tmp_path)
    assert "typer" in found
    assert not found & {*HEAVY, "sqlalchemy", "redis"}


def test_the_supervisor_of_workers(tmp_path: Path) -> None:
    """It imports nothing of what the workers serve: a broken chain, or a leak, is theirs."""
    supervised = "from gatehouse.process.workers import Workers; Workers.run = lambda self: None; Workers.failed = False"
    redis = {"GATEHOUSE_REDIS_URL": "redis://127.0.0.1:1", "GATEHOUSE_MODEL": "scripted"}
    workers = ("serve", "--port", "0", "--workers", "2")
    found = imported_by(f"{supervised}\n{COMMAND}", *workers, folder=tmp_path, **redis)
    assert "uvicorn" in found
    assert not found & {*HEAVY, "starlette", "sqlalchemy", "redis"}


def test_a_start_of_a_folder_that_was_served_before(tmp_path: Path) -> None:
    """What `make run` runs has imported when it serves; MCP's types are half a second of CPU by themselves."""
    commands = ("serve", "--port", "0", "--upgrade", "--seed", "tools.portfolio.seed:seed")
    settings = {"GATEHOUSE_MODEL": "scripted", "GATEHOUSE_DRAIN_DELAY": "0"}
    first = imported_by(f"{UP_AND_GONE}\n{COMMAND}", *commands, folder=tmp_path, **settings)
    assert {"alembic", "langgraph"} <= first
    again = imported_by(f"{UP_AND_GONE}\n{COMMAND}", *commands, folder=tmp_path, **settings)
    assert {"langchain", "langgraph", "langserve"} <= again
    assert not again & {"alembic", "langchain_openai", "mcp", "mcp_types", "openai", "psycopg"}
    # of each of the two packages one module is imported, for LangChain and LangGraph
    assert {"langsmith.types.run_select_field", "langgraph_sdk.auth.types"} <= again
    assert not again & {"langsmith.types.run", "langgraph_sdk.client"}


def test_a_question_from_the_terminal(server: LiveServer, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(server.keys["alice"])
    options = ("--url", server.url, "--api-key-file", str(tmp_path / "key"))
    asked = imported_by(COMMAND, "chat", "[tokens 2]", *options, folder=tmp_path)
    assert "httpx2" in asked
    assert not asked & {*HEAVY, "sqlalchemy", "redis", "prompt_toolkit"}


def test_the_database_and_the_keys(tmp_path: Path) -> None:
    upgraded = imported_by(COMMAND, "db", "upgrade", folder=tmp_path)
    assert "alembic" in upgraded
    assert not upgraded & {*HEAVY, "psycopg"}
    again = imported_by(COMMAND, "db", "upgrade", folder=tmp_path)
    assert "sqlalchemy" in again
    assert not again & {*HEAVY, "alembic", "psycopg"}
    made = imported_by(COMMAND, "keys", "create", "--tenant", "a", "--user", "b", folder=tmp_path)
    assert not made & {*HEAVY, "opentelemetry", "prometheus_client"}
    listed = imported_by(COMMAND, "keys", "list", folder=tmp_path)
    assert "sqlalchemy" in listed
    assert not listed & HEAVY


def test_a_chain_loads_no_provider_that_is_not_chosen(tmp_path: Path) -> None:
    assert not imported_by("import gatehouse.models.opening", folder=tmp_path) & {
        "langchain_openai",
        "openai",
    }
