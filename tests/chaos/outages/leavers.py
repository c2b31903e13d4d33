"""Clients that abort their request while their run is being created."""

import asyncio
import json
import random
import socket
import struct
import time
from urllib.parse import urlsplit

from bench.processes import bearer
from tests.chaos.outages.fleet import SMALL_PLAN

LEAVER = "leaver"  # who they all are
LATEST = 0.015  # seconds after the request at which one aborts at most
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: the connection is reset, as by a client that was killed


async def ask_and_leave(url: str, case: str, number: int, rng: random.Random) -> None:
    """Ask for a run and abort. Every other one is asked of LangServe's route: nobody may come back to it."""
    query = f"case {case} [delay 0.1] [tokens 40]"
    path, body = (
        ("/chain/stream", {"input": query})
        if number % 2
        else ("/api/chat/stream", {"query": query, "runnable": "chain"})
    )
    connection = socket.create_connection((urlsplit(url).hostname, urlsplit(url).port))
    try:
        await asyncio.get_running_loop().sock_sendall(nonblocking(connection), request(path, body))
        await asyncio.sleep(rng.uniform(0, LATEST))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    finally:
        connection.close()


def nonblocking(connection: socket.socket) -> socket.socket:
    connection.setblocking(False)
    return connection


def request(path: str, body: dict[str, str]) -> bytes:
    content = json.dumps(body).encode()
    headers = {"host": "127.0.0.1", "content-type": "application/json", "content-length": str(len(content))}
    headers |= bearer(LEAVER, plan=SMALL_PLAN)
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content


async def leave_again_and_again(urls: list[str], count: int, rng: random.Random) -> float:
    """Ask and leave so often, within about four seconds; return when the last one has (Unix seconds)."""
    for number in range(count):
        await ask_and_leave(rng.choice(urls), f"leaver-{number}", number, rng)
        await asyncio.sleep(rng.uniform(0, 8 / count))
    return time.time()
