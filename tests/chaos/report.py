"""What the experiments' programs do alike: they conduct them, print what was found, and write it."""

import asyncio
import json
import sys
import tempfile
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from pathlib import Path
from textwrap import fill
from typing import Any, Protocol

from bench.machine import machine
from tests.postgres_databases import create_database, running_postgres

RESULTS = Path(__file__).parents[2] / "bench" / "results"
WIDTH = 110


class Found(Protocol):
    """What an experiment found."""

    @property
    def right(self) -> bool: ...

    def as_json(self) -> dict[str, Any]: ...

    def as_markdown(self) -> str: ...


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def named(part: Any) -> str:
    """Return what a plan's function is called: JSON has no functions."""
    return str(part.__name__)


Conduct = Callable[[Any, Path, str, Callable[[str], None]], Coroutine[Any, Any, Found]]


def conducted(title: str, how: str, plan: Any, conduct: Conduct, name: str, *, write: bool) -> int:
    """Conduct an experiment over a PostgreSQL and report it; return 1 when anything was not as promised."""
    folder = Path(tempfile.mkdtemp(prefix=f"gatehouse-{name}-"))
    say(f"The servers' logs are in {folder}.")
    with running_postgres() as server:
        database_url = asyncio.run(create_database(server))
        found = asyncio.run(conduct(plan, folder, database_url, say))
    report(title, how, plan, found, name if write else None)
    return 0 if found.right else 1


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
