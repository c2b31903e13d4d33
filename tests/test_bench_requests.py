"""`make bench` of requests, in small: that it runs, and how often a run in one piece asks Redis."""

import os
from pathlib import Path

import pytest

from bench.requests.__main__ import measured
from bench.requests.report import measures, ratios
from bench.requests.targets import TARGETS


@pytest.mark.usefixtures("_forked_servers")
async def test_measures_requests_beside_stock(tmp_path: Path) -> None:
    cores = sorted(os.sched_getaffinity(0))
    found = measures(await measured(tmp_path, cores, rounds=1, seconds=0.2, only="/invoke"))
    assert found.keys() == {target.name for target in TARGETS if "/invoke" in target.name}
    assert all(values["requests_per_second_1"] > 0 for values in found.values())
    assert set(ratios(found)["LangServe /invoke"]) == {
        "requests_per_second_1", "requests_per_second_16", "cpu_us_1", "cpu_us_16",
    }  # fmt: skip
    assert found["LangServe /invoke"]["redis_commands"] <= 3.5  # what else a process asks meanwhile is noise
