"""One caller with many connections: what a server holds for all of them together."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from live_server import LiveServer, running_server

FILE = 9_000_000  # bytes; three of them may be held
CONNECTIONS = 6
PART = 900_000  # of a body whose end does not come
HELD = 33_600_000  # bytes: gatehouse.limits.held_bytes.MOST, and a part


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with running_server(tmp_path_factory.mktemp("server"), GATEHOUSE_BODY_TIMEOUT="60") as server:
        yield server


@pytest.fixture
def alice(server: LiveServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"x-api-key": server.keys["alice"]}, timeout=30) as client:
        yield client


@contextmanager
def asked(server: LiveServer, head: str, part: bytes = b"", user: str = "alice") -> Iterator[socket.socket]:
    """Yield a connection that has sent the head of a request, and part of its body."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", server.port))
        fields = f"host: localhost\r\nx-api-key: {server.keys[user]}\r\n"
        method, _, more = head.partition("\r\n")
        connection.sendall(f"{method} HTTP/1.1\r\n{fields}{more}\r\n".encode() + part)
        yield connection


def status_of(connection: socket.socket) -> int:
    return int(connection.recv(64).split()[1])


class TestAnswersThatNobodyTakes:
    def test_are_refused_when_they_are_too_many(self, server: LiveServer, alice: httpx.Client) -> None:
        file = {"file": ("a.txt", b"x" * FILE, "text/plain")}
        added = alice.post("/api/attachments", files=file).raise_for_status().json()
        path = f"/api/attachments/{added['id']}"
        with ExitStack() as stack:
            statuses = [
                status_of(stack.enter_context(asked(server, f"GET {path}"))) for _ in range(CONNECTIONS)
            ]
            assert statuses == [200, 200, 200, 429, 429, 429]
            refusal = alice.get(path)
            assert (refusal.status_code, refusal.json()["limit"]) == (429, "held-bytes")
            assert alice.get("/api/me").status_code == 200  # which is small
        answer = None
        while answer is None or answer.status_code == 429:  # until the server has seen that they left
            answer = alice.get(path)
        assert len(answer.content) == FILE


class TestBodiesThatDoNotEnd:
    @pytest.mark.parametrize("path", ["/api/chat", "/chat/invoke", "/v1/chat/completions", "/mcp"])
    def test_are_refused_when_they_are_too_many(
        self, server: LiveServer, alice: httpx.Client, path: str
    ) -> None:
        head = f"POST {path}\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n"
        with ExitStack() as stack:
            senders = [stack.enter_context(asked(server, head, b" " * PART)) for _ in range(HELD // PART + 3)]
            refused = answered(senders)
            heads = [sender.recv(4096) for sender in refused]
            assert all(b" 429 " in head and b"\r\nconnection: close\r\n" in head for head in heads)
            assert 1 <= len(refused) <= 4
            bob = {"x-api-key": server.keys["bob"]}
            assert httpx.get(f"{server.url}/api/me", headers=bob).status_code == 200
        assert alice.get("/api/me").status_code == 200

    def test_of_nobody_are_counted_by_address(self, server: LiveServer) -> None:
        head = "POST /auth/session\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n"
        with ExitStack() as stack:
            senders = [stack.enter_context(asked(server, head, b" " * PART)) for _ in range(HELD // PART + 3)]
            assert {status_of(sender) for sender in answered(senders)} == {429}


def answered(connections: list[socket.socket]) -> list[socket.socket]:
    """Return the connections on which an answer has come when the last of them has had time for one."""
    readable, _, _ = select.select(connections, [], [], 10)
    assert readable
    time.sleep(1)  # what has no answer by now waits for the rest of its body
    readable, _, _ = select.select(connections, [], [], 0)
    return readable
