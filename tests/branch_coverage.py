"""Which lines and branches of the sources the tests ran, in all workers: `make test COVERAGE=1`, before Python 3.15.

SlipCover changes the byte code of the sources alone. Python 3.11 asks a tracer, which coverage.py is there, at each
line of every library too: that took as much time as all tests together.
"""

import io
import json
from collections.abc import Generator
from typing import Any, Protocol

import pytest
import slipcover

SOURCES = ["src/gatehouse", "app", "chains", "tools"]
NOT_RUN = ["if TYPE_CHECKING:", r"\.\.\.$"]

NEVER = (
    2**30
)  # times that a line has run: to take the probes out of all functions again takes longer than they do

measured = slipcover.Slipcover(branch=True, source=SOURCES, d_miss_threshold=NEVER, exclude_also=NOT_RUN)
# a plugin that -p names is imported before conftest.py, which imports what is measured
slipcover.ImportManager(measured, slipcover.FileMatcher(sources=SOURCES)).__enter__()


class Node(Protocol):
    """A worker, seen from the process that started it."""

    workeroutput: dict[str, Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--covered", type=float, default=0, help="percent of lines and branches that must have run"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Worker() if hasattr(config, "workeroutput") else Whole(config))


class Worker:
    """Hands in what ran in it."""

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        session.config.workeroutput["coverage"] = json.dumps(measured.get_coverage())  # type: ignore[attr-defined]


class Whole:
    """Adds up what ran in the workers and here, prints it, and fails the run that ran too little."""

    def __init__(self, config: pytest.Config) -> None:
        self.least: float = config.getoption("covered")
        self.handed_in: list[dict[str, Any]] = []

    @pytest.hookimpl(optionalhook=True)  # pytest-xdist's
    def pytest_testnodedown(self, node: Node) -> None:
        if "coverage" in getattr(node, "workeroutput", {}):  # a worker that crashed has none
            self.handed_in.append(json.loads(node.workeroutput["coverage"]))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None]:
        self.found = added_up([measured.get_coverage(), *self.handed_in])
        if session.exitstatus == pytest.ExitCode.OK and self.percent < self.least:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return (yield)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        table = io.StringIO()
        slipcover.print_coverage(self.found, outfile=table, skip_covered=True)
        terminalreporter.write(table.getvalue())
        enough = self.percent >= self.least
        said = f"{self.percent:.2f} % of lines and branches ran, {self.least:g} % must"
        terminalreporter.write_line(said, green=enough, red=not enough)

    @property
    def percent(self) -> float:
        return float(self.found["summary"]["percent_covered"])


def added_up(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what ran in any of the processes."""
    whole, *others = found
    for other in others:
        slipcover.merge_coverage(whole, other)
    return whole
