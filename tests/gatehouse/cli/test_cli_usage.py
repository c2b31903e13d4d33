"""How every command is asked for help, and how it fails."""

import subprocess
import sys
from importlib.metadata import version

import pytest
from cli_results import Run, failure_of, misuse_of
from typer.main import get_command

from gatehouse.cli import gatehouse

COMMANDS = (
    ("serve",),
    ("chat",),
    ("new",),
    ("k8s",),
    ("erase",),
    ("token",),
    ("routes",),
    ("doctor",),
    ("keys", "create"),
    ("keys", "list"),
    ("keys", "rotate"),
    ("keys", "revoke"),
    ("db", "upgrade"),
    ("db", "status"),
)
HEAVY = {"langchain", "langserve", "sqlalchemy", "fastapi", "pydantic_settings", "xllamacpp", "rich"}
IMPORTED = """
import sys
from gatehouse.cli import main
sys.argv = ["gatehouse", "--help"]
try:
    main()
except SystemExit:
    print(*sys.modules)
"""


class TestVersion:
    def test_is_that_of_the_distribution(self, run: Run) -> None:
        assert run("--version").stdout == f"gatehouse {version('gatehouse-server')}\n"


class TestHelp:
    @pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
    def test_every_command_says_what_it_does(self, run: Run, command: tuple[str, ...]) -> None:
        result = run(*command, "--help")
        assert result.exit_code == 0
        assert result.stdout.startswith(f"Usage: gatehouse {' '.join(command)} ")
        assert len(result.stdout.split("Options:")[0].splitlines()) > 3

    def test_lists_all_commands(self, run: Run) -> None:
        first_words = {command[0] for command in COMMANDS}
        assert set(get_command(gatehouse).commands) == first_words  # type: ignore[attr-defined]
        assert all(f"\n  {word} " in run("--help").stdout for word in first_words)

    def test_imports_nothing_heavy(self) -> None:
        done = subprocess.run(
            [sys.executable, "-c", IMPORTED], capture_output=True, text=True, timeout=30, check=True
        )
        assert not HEAVY & set(done.stdout.splitlines()[-1].split())


class TestMisuse:
    @pytest.mark.parametrize(
        "arguments",
        [("nonsense",), ("serve", "--nonsense"), ("keys", "rotate"), ("serve", "--port", "99999")],
    )
    def test_exits_with_2(self, run: Run, arguments: tuple[str, ...]) -> None:
        assert misuse_of(run(*arguments)).startswith("Usage: gatehouse")

    def test_without_a_command_shows_the_help(self, run: Run) -> None:
        assert "Commands:" in misuse_of(run())


class TestUnforeseenError:
    @pytest.fixture(autouse=True)
    def broken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def load_settings(**_options: object) -> None:
            raise RuntimeError("of postgresql://user:hunter2@db/gatehouse\nand more")

        monkeypatch.setattr("gatehouse.cli.routes.load_settings", load_settings)

    def test_is_one_line_without_secrets(self, run: Run) -> None:
        assert failure_of(run("routes")) == (
            "RuntimeError: of postgresql://[redacted]@db/gatehouse and more (gatehouse --debug … shows where)"
        )

    def test_is_raised_as_it_is_when_debugging(self, run: Run) -> None:
        assert isinstance(run("--debug", "routes").exception, RuntimeError)
