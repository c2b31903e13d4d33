"""Official clients over three replicas behind nginx, some of which are killed without a word."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult
from node_tests import run_node_tests
from three_replicas import ThreeReplicas, three_replicas

from tests.chaos.rolling.edge import nginx_executable

EXAMPLES = Path(__file__).parents[2] / "examples" / "python"
WORDS = [f"t{number}" for number in range(1, 101)]

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


@pytest.mark.parametrize("script", ["openai_responses.py", "resuming.py"])
def test_programs_of_python_outlive_the_replica_that_they_began_at(
    replicas: ThreeReplicas, script: str
) -> None:
    first, *others = replicas.servers
    replicas.reroute(first)
    program = subprocess.Popen(
        [sys.executable, str(EXAMPLES / script), "[delay 0.02] [tokens 100]"],
        env={**os.environ, "GATEHOUSE_URL": replicas.url, "GATEHOUSE_API_KEY": replicas.keys["alice"]},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert program.stdout is not None
    said = program.stdout.read(30)
    replicas.reroute(*others)
    first.process.kill()
    void, _, answer = (said + program.stdout.read()).partition("[the text above is void]\n")
    assert program.wait(30) == 0
    assert void.split() == WORDS[: len(void.split())]
    assert answer.split() == WORDS
    program.stdout.close()


async def test_a_client_of_mcp_is_told_that_its_replica_is_gone_and_asks_another(
    replicas: ThreeReplicas,
) -> None:
    killed = replicas.servers[0]
    begun = asyncio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        begun.set()

    async with mcp_client(killed.url, replicas.keys["alice"]) as mcp:
        question = {"query": '[tool calculator {"expression": "2+2"}] [delay 0.05] [tokens 500]'}
        calling = asyncio.create_task(mcp.call_tool("agent", question, progress_callback=hear))
        await asyncio.wait_for(begun.wait(), 30)
        killed.process.kill()
        with pytest.raises(MCPError):
            await asyncio.wait_for(calling, 30)
    async with mcp_client(replicas.url, replicas.keys["alice"]) as mcp:
        told = [await mcp.call_tool("agent", {"query": "[say Here.]"}) for _ in range(3)]
    assert [text_of(result) for result in told] == ["Here."] * 3


@asynccontextmanager
async def mcp_client(url: str, key: str) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers={"x-api-key": key}, timeout=60) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as connected,
    ):
        yield connected


def text_of(result: CallToolResult) -> str:
    return "".join(getattr(block, "text", "") for block in result.content)
