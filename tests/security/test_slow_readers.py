"""Clients that ask for streams and read nothing: what a server holds for them, and for how long."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from live_server import LiveServer, running_server

READERS = 12
HELD = 36_000_000  # bytes for all of them, with what their runs take: those that waited without end held ten times that
SEND_TIMEOUT = 3
GONE_SECONDS = 60
OVER = {"0A", "06"}  # as Linux writes LISTEN and TIME_WAIT


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    with running_server(tmp_path, GATEHOUSE_SEND_TIMEOUT=str(SEND_TIMEOUT)) as server:
        yield server


def silent_reader(server: LiveServer, endpoint: str) -> socket.socket:
    """Return a connection that has asked for a long answer and reads the first bytes of it only."""
    body = json.dumps({"input": {"input": "[tokens 20000]"}})
    head = {
        "host": "localhost",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "x-api-key": server.keys["alice"],
    }
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(60)
    connection.connect(("127.0.0.1", server.port))
    fields = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    connection.sendall(f"POST /chat/{endpoint} HTTP/1.1\r\n{fields}\r\n{body}".encode())
    assert connection.recv(64).startswith(b"HTTP/1.1 200")
    return connection


def resident_bytes(process_id: int) -> int:
    (kilobytes,) = re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{process_id}/status").read_text())
    return int(kilobytes) * 1024


def connections(server: LiveServer) -> int:
    """Return how many connections the server has that are not over for both sides."""
    table = Path(f"/proc/{server.process.pid}/net/tcp").read_text().splitlines()[1:]
    local = f":{server.port:04X}"
    states = [(row.split()[1], row.split()[3]) for row in table]
    return sum(address.endswith(local) and state not in OVER for address, state in states)


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="reads /proc")
@pytest.mark.parametrize("endpoint", ["stream", "stream_log", "stream_events"])
def test_they_hold_little_memory_and_are_cut(server: LiveServer, endpoint: str) -> None:
    silent_reader(server, endpoint).close()  # what the first one has the server load
    before = most = resident_bytes(server.process.pid)
    with ExitStack() as stack:
        for _ in range(READERS):
            stack.enter_context(silent_reader(server, endpoint))
        assert connections(server) >= READERS
        until = time.monotonic() + GONE_SECONDS
        while connections(server):
            assert time.monotonic() < until, f"{connections(server)} connections are still there"
            most = max(most, resident_bytes(server.process.pid))
            time.sleep(0.1)
    assert most - before < HELD
