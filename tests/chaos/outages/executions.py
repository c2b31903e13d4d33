"""The record of what the replicas executed: a file that all of them append to, a line with one write each."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, Self

import orjson

FILE = "executions"
What = Literal["began", "ended", "acted"]


class Executed(NamedTuple):
    """Something that was done for a run: its runnable began or ended, or its tool acted. Unix seconds."""

    what: What
    case: str
    run_id: str
    attempt: int
    at: float

    @classmethod
    def now(cls, what: What, case: str, run_id: str, attempt: int) -> Self:
        return cls(what, case, run_id, attempt, time.time())


def note(folder: Path, executed: Executed) -> None:
    """Append a line, which is there also when the process is killed right after."""
    file = os.open(folder / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(file, orjson.dumps(executed._asdict()) + b"\n")
    finally:
        os.close(file)


def noted(folder: Path) -> list[Executed]:
    """Return all that was noted, in its order."""
    file = folder / FILE
    lines: Iterator[str] = iter(file.read_text().splitlines() if file.exists() else ())
    return [Executed(**orjson.loads(line)) for line in lines]


def most_at_once(executed: list[Executed]) -> int:
    """Return how many executions there were at one time at most, of those that began and of those that ended."""
    most = going = 0
    for one in sorted(executed, key=lambda one: one.at):
        going += {"began": 1, "ended": -1}.get(one.what, 0)
        most = max(most, going)
    return most
