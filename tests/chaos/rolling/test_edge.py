"""deploy/nginx.conf with replicas that die: what is sent a second time, and what is answered."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from bench.processes import free_port
from tests.chaos.rolling.edge import Edge, nginx_executable

pytestmark = pytest.mark.skipif(nginx_executable() is None, reason="no nginx: apt-get install nginx-light")

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-request-id: r1\r\n\r\nok"


@dataclass
class Upstream:
    """A replica that answers, or that dies when it has been sent a request. `heads` are those it was sent."""

    answer: bytes
    port: int = field(default_factory=free_port)
    heads: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.heads.append(head.decode())
                if not self.answer:
                    break
                writer.write(self.answer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    @property
    def asked(self) -> list[str]:
        """The requests that came, but for those of the test's start."""
        lines = (head.split(" HTTP")[0] for head in self.heads)
        return [line for line in lines if not line.endswith("/livez")]


@dataclass
class Behind:
    """nginx, and what is behind it: one replica that dies, one that answers, one that is not there."""

    edge: Edge
    dying: Upstream
    healthy: Upstream

    async def route(self, *ports: int) -> None:
        lines = "\n".join(f"server 127.0.0.1:{port} max_fails=0;" for port in ports)
        self.edge.write("upstreams", lines)
        await self.edge.reload()


@pytest.fixture
async def behind(tmp_path: Path) -> AsyncIterator[Behind]:
    dying, healthy = Upstream(b""), Upstream(OK)
    servers = [await asyncio.start_server(one.serve, "127.0.0.1", one.port) for one in (dying, healthy)]
    edge = Edge(tmp_path)
    edge.write("upstreams", f"server 127.0.0.1:{healthy.port};")
    try:
        await edge.start()
        yield Behind(edge, dying, healthy)
    finally:
        edge.end()
        for server in servers:
            server.close()


async def ask(behind: Behind, method: str, path: str, body: bytes | None = None) -> httpx.Response:
    async with httpx.AsyncClient(timeout=20) as client:
        return await client.request(method, behind.edge.url + path, content=body)


class TestRepetition:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("POST", "/api/chat"),
            ("POST", "/chat/stream"),
            ("PATCH", "/api/threads/t1"),
            ("GET", "/api/chat/stream?query=hi"),
            ("GET", "/api/stream?query=hi"),
        ],
    )
    async def test_never_of_what_may_have_had_its_effect(
        self, behind: Behind, method: str, path: str
    ) -> None:
        await behind.route(behind.dying.port, behind.dying.port)
        answer = await ask(behind, method, path)
        assert behind.dying.asked == [f"{method} {path}"]
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["retry-after"] == "2"
        assert answer.json()["status"] == 503

    @pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream", "/chat/stream"])
    async def test_of_any_request_that_could_not_be_sent(self, behind: Behind, path: str) -> None:
        await behind.route(free_port(), free_port(), behind.healthy.port)
        for _ in range(6):
            assert (await ask(behind, "POST", path)).text == "ok"

    async def test_of_what_only_reads(self, behind: Behind) -> None:
        await behind.route(behind.dying.port, behind.healthy.port)
        for _ in range(4):
            assert (await ask(behind, "GET", "/api/runs/1")).text == "ok"


class TestRequests:
    async def test_say_who_asked_whatever_the_client_claims(self, behind: Behind) -> None:
        async with httpx.AsyncClient() as client:
            claimed = {"x-forwarded-for": "10.9.8.7", "x-forwarded-proto": "https"}
            await client.get(f"{behind.edge.url}/api/me", headers=claimed)
        head = behind.healthy.heads[-1].lower()
        assert "x-forwarded-for: 127.0.0.1\r\n" in head
        assert "x-forwarded-proto: http\r\n" in head
        assert "10.9.8.7" not in head
        assert f"host: 127.0.0.1:{behind.edge.port}\r\n" in head

    async def test_with_a_body_over_the_limit_are_refused(self, behind: Behind) -> None:
        answer = await ask(behind, "POST", "/api/chat/stream", b"x" * (1_048_576 + 1))
        assert (answer.status_code, answer.json()["status"]) == (413, 413)
        assert behind.healthy.asked == []

    async def test_are_logged_without_their_query(self, behind: Behind) -> None:
        await ask(behind, "GET", "/api/me?ticket=secret")
        for _ in range(100):
            if '"path":"/api/me"' in (log := behind.edge.server.log.read_text()):
                break
            await asyncio.sleep(0.05)
        assert '"request_id":"r1"' in log
        assert "secret" not in log
