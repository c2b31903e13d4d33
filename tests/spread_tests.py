"""How tests are spread over workers: whole modules, those that take longest first.

What the tests of a module share, as a server, is started once: spread over workers, each of them would start it. A
worker that is done takes the next module, so that those that begin last should be short. No run before this one is
known, as in CI: tests that are given more than the usual seconds are long, then modules that share something of their
own, then those of many tests. (xdist_group is not seen by pytest-xdist 3.8 under pytest 9.2.)
"""

from collections.abc import Iterable, Sequence

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

SHARE_NOTHING = ("tests/e2e/test_e2e.py::",)  # each starts what it needs, and takes a minute
SHARED = ("session", "package", "module")


class ByModule(LoadFileScheduling):
    """A module is one unit of work; of those that share nothing, each test is."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # the workers have put the modules in order

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(SHARE_NOTHING) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByModule | None:
    """Take the place of `--dist loadfile`."""
    return ByModule(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(trylast=True)  # when it is known which tests are run
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getvalue("dist") != "no" or hasattr(config, "workerinput"):
        items[:] = long_ones_first(items, float(config.getini("timeout")))


def long_ones_first(items: Iterable[pytest.Item], usual: float) -> list[pytest.Item]:
    """Return the tests module by module, in the order in which the modules should begin."""
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.nodeid.partition("::")[0], []).append(item)

    def length(module: Sequence[pytest.Item]) -> tuple[float, bool, int]:
        longest = max(usual, *(given_to(item, usual) for item in module))
        return longest, any(map(shares, module)), len(module)

    return [item for module in sorted(modules.values(), key=length, reverse=True) for item in module]


def given_to(item: pytest.Item, usual: float) -> float:
    given = item.get_closest_marker("timeout")
    return float(given.args[0]) if given else usual


def shares(item: pytest.Item) -> bool:
    """Tell whether it uses what is made once for several tests, and not by pytest or a plugin."""
    fixtures = item._fixtureinfo.name2fixturedefs.values()  # type: ignore[attr-defined]
    return any(ways[-1].scope in SHARED and ways[-1].baseid for ways in fixtures)
