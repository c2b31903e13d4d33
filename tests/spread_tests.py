"""How the tests of `make e2e` are spread over workers: those that share servers stay together, and a module's servers
are started once. (xdist_group is not seen by pytest-xdist 3.8 under pytest 9.2.)
"""

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
