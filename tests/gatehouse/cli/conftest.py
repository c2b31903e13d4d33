"""Commands run in this process, in an empty folder of their own."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from cli_results import Run
from migrated_databases import migrated_copy
from typer.testing import CliRunner, Result

from gatehouse.cli import gatehouse

OURS = ("GATEHOUSE_", "OPENAI_", "AZURE_", "LANGSMITH_")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: no `.env`, none of our variables set but a data folder and the scripted model."""
    for name in [name for name in os.environ if name.startswith(OURS) or name == "PORT"]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEHOUSE_DATA_DIR", "data")
    monkeypatch.setenv("GATEHOUSE_MODEL", "scripted")
    return tmp_path


@pytest.fixture
def migrated(home: Path) -> Path:
    """The working folder with a database that is up to date."""
    (home / "data").mkdir(mode=0o700)
    migrated_copy(home / "data" / "gatehouse.db")
    return home


@pytest.fixture
def run(home: Path) -> Iterator[Run]:
    """Run `gatehouse` with these arguments. What commands do to logging is undone."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level

    def invoke(*arguments: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(gatehouse, arguments, input=stdin, prog_name="gatehouse")

    yield invoke
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()
