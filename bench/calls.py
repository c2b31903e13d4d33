"""Counts the calls of functions that an answer takes, beside stock LangServe: see bench/README.md.

Both applications are asked in this process, one request after the other, without a socket: other load on the
machine changes nothing. Calls are no time, but where a request takes a quarter more of them than it did, it
takes more time.
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from fastapi import FastAPI
from starlette.types import Message
from uvicorn.importer import import_from_string

from bench.processes import bearer, gatehouse_environment, migrate, redis_ready, redis_server
from bench.requests.targets import TARGETS, Target
from gatehouse.main import create_app

RESULT = Path(__file__).parent / "results" / "calls.json"
WARM, COUNTED = 10, 21  # requests of each target
SHARE = 0.25  # by which a ratio may fall
STOCK_STREAM = "stock LangServe /stream"
STREAM_TOKENS = 300
ASKED = json.dumps({"input": {"input": f"[tokens {STREAM_TOKENS}]"}}).encode()
QUERY = json.dumps({"query": f"[tokens {STREAM_TOKENS}]", "runnable": "chat"}).encode()
STREAMS = (
    Target(STOCK_STREAM, "stock", "/chat/stream", ASKED, STOCK_STREAM),
    Target("LangServe /stream", "gatehouse", "/chat/stream", ASKED, STOCK_STREAM),
    Target("/api/chat/stream", "gatehouse", "/api/chat/stream", QUERY, STOCK_STREAM),
)
Counts = dict[str, float]


class BadAnswer(Exception):
    """An application answered with something else than a 200."""


class Calls:
    """Counts the calls of all threads that begin after it was made, and of this one."""

    def __init__(self) -> None:
        self._counter = itertools.count()  # in one step of the interpreter, whichever thread it is
        self._read = 0
        threading.setprofile(self._seen)
        sys.setprofile(self._seen)

    def so_far(self) -> int:
        self._read += 1
        return next(self._counter) - self._read

    def _seen(self, _frame: FrameType, event: str, _of: object) -> None:
        if event in ("call", "c_call"):
            next(self._counter)


@dataclass(slots=True)
class Asked:
    """An application that is open, as an ASGI server asks it. `state` is what its lifespan yielded."""

    app: FastAPI
    state: Mapping[str, Any]
    headers: Mapping[str, str]

    async def ask(self, target: Target) -> None:
        """Post what the target asks, and take the whole answer. Raises BadAnswer."""
        body: list[Message] = [{"type": "http.request", "body": target.body, "more_body": False}]
        left = asyncio.Event()

        async def receive() -> Message:
            if body:
                return body.pop()
            await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message.get("status", 200) != 200:
                raise BadAnswer(f"{target.name}: {message['status']}")

        headers = {"host": "localhost", "content-type": "application/json", **self.headers}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
            "scheme": "http", "path": target.path, "raw_path": target.path.encode(), "root_path": "",
            "query_string": b"", "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "state": dict(self.state),
        }  # fmt: skip
        await self.app(scope, receive, send)
        left.set()


def main() -> None:
    arguments = parsed()
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as folder:
        counts = asyncio.run(counted(Path(folder)))
    found = ratios(counts)
    for name, calls in counts.items():
        sys.stdout.write(f"{name:36}{calls:10.0f} calls{found[name]:8.2f} times as good as stock\n")
    if arguments.check:
        sys.exit("\n".join(fallen(found, json.loads(RESULT.read_text())["ratios"])) or None)
    if arguments.write:
        python = sys.version.split()[0]
        RESULT.write_text(json.dumps({"python": python, "calls": counts, "ratios": found}, indent=1) + "\n")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.calls", description=__doc__)
    parser.add_argument(
        "--check", action="store_true", help="fail when a ratio to stock fell by a quarter since --write"
    )
    parser.add_argument("--write", action="store_true", help="write bench/results/calls.json")
    return parser.parse_args()


async def counted(folder: Path) -> Counts:
    """Return how many calls a request of each target takes.

    That is the median: what the process does for itself is in a few of them.
    """
    calls = Calls()
    found: Counts = {}
    async with applications(folder) as asked:
        for target in (*TARGETS, *STREAMS):
            server = asked[target.server]
            for _ in range(WARM):
                await server.ask(target)
            taken = []
            for _ in range(COUNTED):
                before = calls.so_far()
                await server.ask(target)
                taken.append(calls.so_far() - before)
            found[target.name] = statistics.median(taken)
    return found


@asynccontextmanager
async def applications(folder: Path) -> AsyncIterator[dict[str, Asked]]:
    """Yield both applications while they are open, and ours with a Redis on TCP."""
    redis = redis_server(folder)
    redis.start()
    try:
        await redis_ready(redis)
        await migrate(folder, {})
        ours = {"REGISTRY": "bench.requests.agent:REGISTRY", "REDIS_URL": f"redis://127.0.0.1:{redis.port}/0"}
        os.environ.update(gatehouse_environment(folder, {**ours, "LOG_LEVEL": "info"}))
        with (folder / "log").open("w") as log:
            sys.stderr = log
            app = create_app()
            async with app.router.lifespan_context(app) as state:
                stock = import_from_string("bench.transports.stock_langserve:app")  # as its server does
                yield {
                    "stock": Asked(stock, {}, {}),
                    "gatehouse": Asked(app, state or {}, bearer()),
                }
    finally:
        sys.stderr = sys.__stderr__
        redis.kill()


def ratios(counts: Counts) -> Counts:
    """Return how many times as good as its stock each target is: above 1 is better."""
    return {target.name: counts[target.stock] / counts[target.name] for target in (*TARGETS, *STREAMS)}


def fallen(found: Counts, committed: Mapping[str, float]) -> list[str]:
    """Return a line for each ratio that is worse by more than `SHARE` than the committed."""
    return [
        f"{name}: {ratio:.2f} times as good as stock, {committed[name]:.2f} when it was counted"
        for name, ratio in found.items()
        if ratio < committed[name] * (1 - SHARE)
    ]


if __name__ == "__main__":
    main()
