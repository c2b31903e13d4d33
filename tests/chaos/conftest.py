"""Experiments are given more time than other tests."""

import os
from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Three servers, of which one is killed or paused, need it on a machine that others use too."""
    here = f"{Path(__file__).parent}{os.sep}"
    for item in items:
        if str(item.path).startswith(here) and "_forked_servers" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(300))
