"""The process of the command, before anything else is imported."""

import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run_in_place_of_the_cli(arguments: list[str], cli: str) -> subprocess.CompletedProcess[str]:
    """Run the command with these lines as the module that it imports."""
    program = f"""
        import signal, sys, types
        sys.argv[1:] = {arguments!r}
        class Cli:
            def find_spec(self, name, *_):
                if name == "gatehouse.cli":
                    import os
                    {cli}
        sys.meta_path.insert(0, Cli())
        from gatehouse.command import main
        assert not {{"typer", "pydantic", "gatehouse.settings"}} & sys.modules.keys()
        main()
    """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
    )


def test_a_signal_that_comes_while_it_imports_ends_a_server_with_0() -> None:
    ended = run_in_place_of_the_cli(["serve"], "os.kill(os.getpid(), signal.SIGTERM)")
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("arguments", [["keys", "list"], []])
def test_any_other_command_is_ended_by_it(arguments: list[str]) -> None:
    ended = run_in_place_of_the_cli(arguments, "os.kill(os.getpid(), signal.SIGTERM)")
    assert ended.returncode == -signal.SIGTERM


def test_runs_the_command_line() -> None:
    printed = subprocess.run(
        [sys.executable, "-c", "from gatehouse.command import main; main()", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
    ).stdout
    assert "serve" in printed
