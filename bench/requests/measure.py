"""The measurements of one target: requests a second, what one costs the server, and what it asks of Redis."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from bench.processes import Server
from bench.requests.asker import Asker

WARM_SECONDS = 0.3
# what a process asks for itself, however many runs it has: by the names of commands and of their first keys
OF_THE_PROCESS = (
    *("XREAD", "TIME", "ZRANGEBYSCORE gh:runs:active", "HLEN", "HSCAN", "HDEL gh:runs:accounts"),
    *("GET gh:revoked-tokens", "XRANGE gh:revoked-tokens", "GET gh:usage:", "SET gh:usage:"),
)
OF_BEATS = ("gh:runs:well", "gh:runs:active")  # the first keys of the scripts of a heartbeat
HANDSHAKE = ("PING", "HELLO", "CLIENT")


async def speed(asker: Asker, server: Server, clients: int, seconds: float) -> dict[str, float]:
    """Return requests a second of so many clients, and µs of the server's CPU for each."""
    await asker.keep_asking(clients, WARM_SECONDS)
    cpu, began = server.cpu_seconds(), time.perf_counter()
    answers = await asker.keep_asking(clients, seconds)
    took, cpu = time.perf_counter() - began, server.cpu_seconds() - cpu
    return {f"requests_per_second_{clients}": answers / took, f"cpu_us_{clients}": 1e6 * cpu / answers}


async def redis_commands(asker: Asker, redis: Redis, requests: int) -> float:
    """Return how many commands the server sends to Redis for a request. A script is one, whatever it does."""
    await asker.ask(2)
    async with counted(redis) as commands:
        await asker.ask(requests)
        await asyncio.sleep(0.1)
    return len([command for command in commands if not is_of_the_process(command)]) / requests


def is_of_the_process(command: str) -> bool:
    """Tell a command that belongs to no run."""
    if command.startswith("EVALSHA "):
        return command.split(" ")[3] in OF_BEATS
    return command.startswith((*HANDSHAKE, *OF_THE_PROCESS))


@asynccontextmanager
async def counted(redis: Redis) -> AsyncIterator[list[str]]:
    """Yield a list that every command is added to that a client sends meanwhile."""
    commands: list[str] = []

    async def listen() -> None:
        async for seen in monitor.listen():
            if seen["client_type"] != "lua":
                commands.append(seen["command"])

    async with redis.monitor() as monitor:
        listening = asyncio.create_task(listen())
        try:
            yield commands
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening
