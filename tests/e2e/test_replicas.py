"""Official clients over three replicas behind nginx, some of which are killed without a word."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from node_tests import run_node_tests
from three_replicas import ThreeReplicas, three_replicas

from tests.chaos.rolling.edge import nginx_executable

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(nginx_executable() is None, reason="no nginx: apt-get install nginx-light"),
    pytest.mark.timeout(200),
]


@pytest.fixture
def replicas(tmp_path: Path, empty_redis: str, postgres_url: str) -> Iterator[ThreeReplicas]:
    with three_replicas(tmp_path, empty_redis, postgres_url) as started:
        yield started


@pytest.mark.parametrize("version", ["6", "7"])
@pytest.mark.parametrize("script", ["openai_replicas.test.js", "ui_replicas.test.js"])
def test_clients_of_javascript(replicas: ThreeReplicas, script: str, version: str) -> None:
    run_node_tests(
        script,
        needs="node",
        GATEHOUSE_URL=replicas.url,
        GATEHOUSE_KEY=replicas.keys["alice"],
        GATEHOUSE_REPLICAS=replicas.described(),
        CLIENT_VERSION=version,
    )
