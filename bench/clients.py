"""Measures what a program sees of each kind of client: `python -m bench.clients`; see docs/clients.md."""

import argparse
import asyncio
import json
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from statistics import median

import httpx2
from langserve import RemoteRunnable
from websockets.asyncio.client import ClientConnection, connect

from bench.machine import machine
from bench.processes import Server, bearer, gatehouse_server, migrate

RESULTS = Path(__file__).parent / "results"
DELAY, TOKENS = 0.01, 40
QUESTION = f"[delay {DELAY}] [tokens {TOKENS}]"
MILLISECONDS = 1000
HEAD = f"""\
# Clients: what a program sees

Medians of {{rounds}} interleaved rounds of `python -m bench.clients`, one question after the other. The
server runs its Valkey itself, and the clients are on the same machine. An answer has {TOKENS} tokens. The
model itself takes {DELAY * MILLISECONDS:.0f} ms to each, {TOKENS * DELAY * MILLISECONDS:.0f} ms to all.
Every question makes its connection, and fetches its ticket, anew.
"""

Ask = Callable[["Target"], AsyncIterator[str]]


class Target:
    """Where clients ask, and as whom."""

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.headers = bearer()

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(base_url=self.url, headers=self.headers, timeout=60)

    async def ticket(self, client: httpx2.AsyncClient, route: str) -> str:
        issued = await client.post("/api/tickets", json={"route": route})
        return str(issued.raise_for_status().json()["ticket"])


async def rest(target: Target) -> AsyncIterator[str]:
    async with target.client() as client:
        yield (await client.post("/api/chat", json={"query": QUESTION})).raise_for_status().json()["response"]


async def posted_events(target: Target) -> AsyncIterator[str]:
    async with (
        target.client() as client,
        client.sse("/api/chat/stream", method="POST", json={"query": QUESTION}) as source,
    ):
        async for text in texts(source):
            yield text


async def event_source(target: Target) -> AsyncIterator[str]:
    async with target.client() as client:
        ticket = await target.ticket(client, "/api/chat/stream")
        parameters = {"query": QUESTION, "idempotency_key": str(uuid.uuid4()), "ticket": ticket}
    async with (
        httpx2.AsyncClient(base_url=target.url) as browser,
        browser.sse("/api/chat/stream", params=parameters) as source,
    ):
        async for text in texts(source):
            yield text


async def new_socket(target: Target) -> AsyncIterator[str]:
    async with target.client() as client:
        ticket = await target.ticket(client, "/ws/chat/")
    async with connect(f"{target.url.replace('http', 'ws')}/ws/chat/?events=run&ticket={ticket}") as socket:
        async for text in asked_on(socket):
            yield text


async def remote_stream(target: Target) -> AsyncIterator[str]:
    async for text in remote(target).astream({"input": QUESTION}):
        yield text


async def remote_invoke(target: Target) -> AsyncIterator[str]:
    yield await remote(target).ainvoke({"input": QUESTION})


def remote(target: Target) -> RemoteRunnable[dict[str, str], str]:
    return RemoteRunnable(f"{target.url}/chat", headers=target.headers)


async def texts(source: httpx2.EventSource) -> AsyncIterator[str]:
    async for event in source:
        if event.event == "token":
            yield json.loads(event.data)["content"]


async def asked_on(socket: ClientConnection) -> AsyncIterator[str]:
    await socket.send(json.dumps({"message": QUESTION}))
    async for frame in socket:
        event = json.loads(frame)
        if event["type"] == "token":
            yield event["content"]
        if event["type"] == "end":
            return


CLIENTS: dict[str, Ask] = {
    "`POST /api/chat` (httpx2)": rest,
    "`POST /api/chat/stream` (httpx2)": posted_events,
    "EventSource: a ticket, then `GET /api/chat/stream`": event_source,
    "WebSocket: a ticket, then a new socket": new_socket,
    "`RemoteRunnable.astream`": remote_stream,
    "`RemoteRunnable.ainvoke`": remote_invoke,
}


async def timed(ask: Ask, target: Target) -> tuple[float, float]:
    """Return the ms to the first text, and to all of it. Raises ValueError for another answer."""
    began, first, said = time.perf_counter(), 0.0, ""
    async for text in ask(target):
        first = first or time.perf_counter() - began
        said += text
    took = time.perf_counter() - began
    if len(said.split()) != TOKENS:
        raise ValueError(f"another answer: {said}")
    return first * MILLISECONDS, took * MILLISECONDS


async def measured(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return what each round found, for each client; the first round only warms up."""
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        await migrate(Path(folder), {})
        server = gatehouse_server("embedded", Path(folder), {})
        server.start()
        try:
            await server.ready("/readyz")
            target = Target(server)
            for number in range(rounds + 1):
                for name, ask in CLIENTS.items():
                    row = await timed(ask, target)
                    if number:
                        found[name].append(row)
        finally:
            await server.stop()
    return found


def report(found: dict[str, list[tuple[float, float]]], rounds: int) -> str:
    facts = machine()
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    rows = [
        f"| {name} | {median(first for first, _ in times):.0f} | {median(whole for _, whole in times):.0f} |"
        for name, times in found.items()
    ]
    table = ["| client | ms to the first text | ms to all of it |", "|---|---:|---:|", *rows]
    about = f"{facts['date']}, {facts['machine']}. {versions}."
    return "\n".join([HEAD.format(rounds=rounds), about, "", *table, ""])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.clients", description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--write", action="store_true", help="write bench/results/clients.md")
    arguments = parser.parse_args()
    text = report(asyncio.run(measured(arguments.rounds)), arguments.rounds)
    sys.stdout.write(text)
    if arguments.write:
        (RESULTS / "clients.md").write_text(text)


if __name__ == "__main__":
    main()
