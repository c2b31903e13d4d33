"""What both chaos programs print and write."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import Any, Protocol

from bench.machine import machine

RESULTS = Path(__file__).parents[2] / "bench" / "results"
WIDTH = 110


class Found(Protocol):
    """What an experiment found."""

    def as_json(self) -> dict[str, Any]: ...

    def as_markdown(self) -> str: ...


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def named(part: Any) -> str:
    """Return what a plan's function is called: JSON has no functions."""
    return str(part.__name__)


def report(title: str, how: str, plan: Any, found: Found, name: str | None) -> None:
    """Print a report; with a name, write it to `bench/results/` as Markdown and JSON too.

    `plan` is the experiment, a dataclass.
    """
    facts = machine()
    where = f"{facts['date']}, {facts['machine']}, Python {facts['versions']['python']}."
    text = f"# {title}\n\n{fill(how, WIDTH)}\n\n{found.as_markdown()}\n{where}\n"
    say(text)
    if name:
        (RESULTS / f"{name}.md").write_text(text)
        everything = {**facts, "plan": asdict(plan), "found": found.as_json()}
        (RESULTS / f"{name}.json").write_text(json.dumps(everything, indent=1, default=named) + "\n")
