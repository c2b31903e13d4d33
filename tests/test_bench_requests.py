"""`make bench` of requests, in small: that it runs, and how often a run in one piece asks Redis."""

import os
from pathlib import Path

import pytest

from bench.requests.__main__ import measured
from bench.requests.report import fallen, measures, ratios
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


def test_tells_what_fell_by_more_than_a_quarter() -> None:
    committed = {"/api/chat": {"cpu_us_1": 1.0, "cpu_us_16": 1.0}}
    assert fallen({"/api/chat": {"cpu_us_1": 0.76, "cpu_us_16": 2.0}}, committed) == []
    assert fallen({"/api/chat": {"cpu_us_1": 0.7}, "new": {"cpu_us_1": 0.1}}, committed) == [
        "/api/chat: CPU µs/request, 1 client: 0.70 times as good as stock, 1.00 when it was measured"
    ]
