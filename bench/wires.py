"""Measures what a token and a join cost on each wire, beside our typed events: `python -m bench.wires`.

Both are CPU time of the server's process, user and system: other work on the machine changes it little.
"""

import argparse
import asyncio
import json
import os
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from textwrap import fill
from typing import Any

import httpx2

from bench.machine import machine
from bench.processes import Server, bearer, gatehouse_server, migrate
from bench.transports.load import Client, prompt
from bench.transports.targets import LAST_CHUNK, Target, request, websocket

RESULTS = Path(__file__).parent / "results"
SHORT, LONG, JOINED = 20, 520, 1000  # tokens of an answer, and of one that is joined
MICROSECONDS, MILLISECONDS = 1e6, 1e3
MOST_TIMES, MOST_MS = 1.3, 20.0  # what a wire may cost beside ours, and a join
Body = Callable[[str], dict[str, Any]]
Found = dict[str, defaultdict[str, list[float]]]


@dataclass(frozen=True, slots=True)
class Wire(Target):
    """A target whose request is a wire's own: `question` makes its body of a prompt."""

    question: Body

    def asking(self, prompt: str, headers: Mapping[str, str]) -> bytes:
        return request(self.path, self.question(prompt), headers)


def wire(name: str, path: str, token: bytes, question: Body) -> Wire:
    return Wire(name, "embedded", path, "run", token, LAST_CHUNK, question)


def as_ui(text: str) -> dict[str, Any]:
    message = {"id": "q", "role": "user", "parts": [{"type": "text", "text": text}]}
    return {"id": os.urandom(8).hex(), "messages": [message]}


TYPED = wire(
    "typed events", "/api/chat/stream", b"event: token", lambda text: {"query": text, "runnable": "chat"}
)
WIRES: tuple[Target, ...] = (
    TYPED,
    wire("plain tokens", "/api/stream", b'{"token":', lambda text: {"query": text, "runnable": "chat"}),
    websocket("WebSocket", "embedded"),
    wire("LangServe /stream", "/chat/stream", b"event: data", lambda text: {"input": {"input": text}}),
    wire(
        "OpenAI Chat",
        "/v1/chat/completions",
        b'"delta":{"content"',
        lambda text: {"model": "chat", "stream": True, "messages": [{"role": "user", "content": text}]},
    ),
    wire(
        "OpenAI Responses",
        "/v1/responses",
        b"event: response.output_text.delta",
        lambda text: {"model": "chat", "stream": True, "input": text},
    ),
    wire("AI SDK", "/api/ui/chat/chat", b'"type":"text-delta"', as_ui),
)
# where an answer is joined, by the id of its run
JOINS: Mapping[str, str] = {
    TYPED.name: "/api/runs/{run}/stream?last_event_id=-1",
    "OpenAI Responses": "/v1/responses/resp_{run}?stream=true",
    "AI SDK": "/api/ui/chat/chat/bench/stream?message={run}",
}


async def answer_cost(target: Target, server: Server, seconds: float, tokens: int) -> float:
    """Return CPU µs an answer of so many tokens, over twenty streams at once."""
    client = Client(target, server.port, bearer())
    await client.keep_asking(5, 0.2, 50)
    before = server.cpu_seconds()
    answers = await client.keep_asking(20, seconds, tokens)
    return MICROSECONDS * (server.cpu_seconds() - before) / len(answers)


async def join_cost(path: str, server: Server, joins: int) -> float:
    """Return CPU ms a join of an answer of a thousand tokens, one after the other over one connection."""
    async with httpx2.AsyncClient(base_url=server.url, headers=bearer(), timeout=60) as http:
        run = await answered(http, path)
        where = path.format(run=run)
        await http.get(where)
        before = server.cpu_seconds()
        for _ in range(joins):
            told = await http.get(where)
            if told.status_code != httpx2.codes.OK or len(told.content) < JOINED:
                raise RuntimeError(f"{where}: {told.status_code} {told.text[:300]}")
        return MILLISECONDS * (server.cpu_seconds() - before) / joins


async def answered(http: httpx2.AsyncClient, path: str) -> str:
    """Return the id of a run that has ended, begun over the wire that joins it."""
    if path.startswith("/v1/"):
        asked = await http.post("/v1/responses", json={"model": "chat", "input": prompt(JOINED, 0)})
        return str(asked.json()["id"]).removeprefix("resp_")
    asked = await http.post("/api/chat", json={"query": prompt(JOINED, 0), "runnable": "chat"})
    return str(asked.json()["run_id"])


@asynccontextmanager
async def serving(folder: Path, core: int) -> AsyncIterator[Server]:
    await migrate(folder, {})
    server = gatehouse_server("wires", folder, {}, core)
    try:
        server.start()
        await server.ready("/readyz")
        yield server
    finally:
        await server.stop()


async def measured(folder: Path, core: int, rounds: int, seconds: float, joins: int) -> Found:
    """Return what every round found for each wire. Rounds are interleaved, so that a drift hits all."""
    found: Found = {"short": defaultdict(list), "long": defaultdict(list), "join": defaultdict(list)}
    async with serving(folder, core) as server:
        for _ in range(rounds):
            for target in WIRES:
                found["short"][target.name].append(await answer_cost(target, server, seconds, SHORT))
                found["long"][target.name].append(await answer_cost(target, server, seconds, LONG))
            for name, path in JOINS.items():
                found["join"][name].append(await join_cost(path, server, joins))
    return found


def token_costs(found: Found) -> dict[str, float]:
    """Return what a token more costs each wire, in µs: what an answer costs beside that is no token's."""
    return {
        name: (median(found["long"][name]) - median(short)) / (LONG - SHORT)
        for name, short in found["short"].items()
    }


def markdown(found: Found, how: str) -> str:
    """Return the table of the medians."""
    costs = token_costs(found)
    lines = [
        "# Wires: what a token and a join cost", "", how, "",
        "| wire | a token | of typed events' | an answer beside its tokens | a join of 1,000 tokens |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for name, cost in costs.items():
        beside = (median(found["short"][name]) - SHORT * cost) / 1000
        join = f"{median(found['join'][name]):.1f} ms" if name in found["join"] else ""
        times = cost / costs[TYPED.name]
        lines.append(f"| {name} | {cost:.0f} µs | {times:.2f} | {beside:.1f} ms | {join} |")
    lines += [
        "",
        f"A token may cost {MOST_TIMES} times what typed events' does, a join {MOST_MS:.0f} ms.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures what each wire costs.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each wire in a round")
    parser.add_argument("--joins", type=int, default=30, help="of each wire in a round")
    parser.add_argument("--write", action="store_true", help="write bench/results/wires.md and .json")
    chosen = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[-1]})
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        found = asyncio.run(measured(Path(folder), cores[0], chosen.rounds, chosen.seconds, chosen.joins))
    facts = machine()
    how = (
        f"Medians of {chosen.rounds} interleaved rounds of `python -m bench.wires` on {facts['date']}: "
        f"{facts['machine']}, at a load average of {os.getloadavg()[1]:.1f}. The server is on one core, with "
        f"its own Valkey; answers of {SHORT} and of {LONG} tokens of the scripted chain, over 20 streams at "
        "once. All is CPU time of the server's process, user and system."
    )
    text = markdown(found, fill(how, 120))
    print(text)
    if chosen.write:
        (RESULTS / "wires.md").write_text(text)
        (RESULTS / "wires.json").write_text(json.dumps({**facts, "how": how, **found}) + "\n")


if __name__ == "__main__":
    main()
