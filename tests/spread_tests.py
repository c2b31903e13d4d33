"""How tests are spread over workers.

Those of `make test` are dealt out in order, a stretch to each worker, and who is done takes from the end of another's
stretch. What takes longest is put at the beginning of the stretches: else a single worker would begin one long test
after the other, or one at the very end.

Those of `make e2e` that share servers stay together, and a module's servers are started once. (xdist_group is not seen
by pytest-xdist 3.8 under pytest 9.2.)
"""

import os
from collections.abc import Sequence
from itertools import islice

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

SHARE_NOTHING = ("tests/e2e/test_e2e.py::",)  # each starts what it needs, and takes a minute


class ByServers(LoadFileScheduling):
    """A module is one unit of work; of those that share nothing, each test is."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(SHARE_NOTHING) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByServers | None:
    """Take the place of `--dist loadfile`."""
    return ByServers(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)  # when it is known which tests are run
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    items[:] = long_ones_first(items, workers, float(config.getini("timeout")))


def long_ones_first(items: Sequence[pytest.Item], workers: int, usual: float) -> list[pytest.Item]:
    """Return the tests with those that are given more than the usual seconds spread over the workers.

    The others of their module come with them: they share what it starts.
    """
    modules: dict[str, list[pytest.Item]] = {module_of(item): [] for item in items if is_long(item, usual)}
    others: list[pytest.Item] = []
    for item in items:
        modules.get(module_of(item), others).append(item)
    rest = iter(others)
    spread: list[pytest.Item] = []
    for worker in range(workers):
        size = (len(items) - len(spread)) // (workers - worker)
        longest = [item for module in islice(modules.values(), worker, None, workers) for item in module]
        spread += longest
        spread += islice(rest, max(0, size - len(longest)))
    return [*spread, *rest]


def module_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def is_long(item: pytest.Item, usual: float) -> bool:
    given = item.get_closest_marker("timeout")
    return given is not None and float(given.args[0]) > usual
