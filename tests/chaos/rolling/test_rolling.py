"""A small version of the rolling part of `make chaos`."""

from pathlib import Path

import pytest

from tests.chaos.rolling.edge import Edge, nginx_executable
from tests.chaos.rolling.experiment import Rolling, conduct
from tests.live_postgres import postgres_programs

PLAN = Rolling(
    streams=12, tokens=60, langserve_tokens=20, replicas=2, rolled=1, drain_delay=1, drain_seconds=3,
    freeze=3, calm=0.5,
)  # fmt: skip
pytestmark = pytest.mark.e2e  # nginx and PostgreSQL are system packages
needs_nginx = pytest.mark.skipif(nginx_executable() is None, reason="no nginx: apt-get install nginx-light")


@needs_nginx
def test_nginx_takes_the_file(tmp_path: Path) -> None:
    edge = Edge(tmp_path)
    edge.route([])
    edge.write("upstreams", "server 127.0.0.1:1;")
    assert "test is successful" in edge.tested()


@needs_nginx
@pytest.mark.skipif(postgres_programs() is None, reason="no PostgreSQL on this machine")
@pytest.mark.alone
@pytest.mark.timeout(240)
async def test_clients_notice_no_rolling_update_and_recover_from_the_rest(tmp_path: Path) -> None:
    found = await conduct(PLAN, tmp_path, print)
    assert found.right, found.as_markdown()
    assert found.exits == [0]
    assert found.restarts > 0
