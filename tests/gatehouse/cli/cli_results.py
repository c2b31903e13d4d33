"""What a command's result has to look like."""

import json
from collections.abc import Callable
from typing import Any

from typer.testing import Result

Run = Callable[..., Result]


def data_of(result: Result) -> Any:
    """Return the JSON that a command printed and nothing else, when it did what was asked."""
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def failure_of(result: Result) -> str:
    """Return the one line of a command that could not do it."""
    assert result.exit_code == 1, result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("gatehouse: ")
    return lines[0].removeprefix("gatehouse: ")


def misuse_of(result: Result) -> str:
    """Return what a command says that was not understood, in one line."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr
    return " ".join(result.stderr.split())
