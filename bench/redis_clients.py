"""What a script call costs in CPU, by the client that makes it: `python -m bench.redis_clients`.

Why the scripts of a process share one connection (docs/adr/0017). valkey-glide is measured where it is
installed; Gatehouse itself does not use it.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from gatehouse.settings import Settings
from gatehouse.storage.opening import open_redis
from gatehouse.storage.redis.script import Script

TEXT = "return redis.call('INCRBY', KEYS[1], ARGV[1])"
CALLS, ROUNDS = 4000, 5
CALLERS = (1, 8, 32)

Call = Callable[[], Awaitable[Any]]


async def cpu_of(call: Call, callers: int) -> float:
    """Return the median CPU time of a call, in microseconds, when so many callers call again and again."""

    async def caller() -> None:
        for _ in range(CALLS // callers):
            await call()

    rounds = []
    for _ in range(ROUNDS + 1):
        before = time.process_time()
        await asyncio.gather(*(caller() for _ in range(callers)))
        rounds.append((time.process_time() - before) / CALLS * 1e6)
    return statistics.median(rounds[1:])


async def main() -> None:
    url = os.environ.get("GATEHOUSE_REDIS_URL")
    with tempfile.TemporaryDirectory() as folder:
        async with open_redis(Settings(_env_file=None, redis_url=url, data_dir=Path(folder))) as redis:
            script = Script(redis, TEXT, 4.0)
            sha = await redis.script_load(TEXT)
            calls: dict[str, Call] = {
                "our shared connection": lambda: script(["bench:clients"], [1]),
                "redis-py's pool": lambda: redis.evalsha(sha, 1, "bench:clients", 1),
            }
            if url and (glide := glide_of(url)):
                client, glide_script = await glide
                calls["valkey-glide"] = lambda: client.invoke_script(
                    glide_script, keys=["bench:clients"], args=["1"]
                )
            print("| client | " + " | ".join(f"{n} callers" for n in CALLERS) + " |")
            print("|---|" + "---|" * len(CALLERS))
            for name, call in calls.items():
                costs = [await cpu_of(call, callers) for callers in CALLERS]
                print(f"| {name} | " + " | ".join(f"{cost:.1f} µs" for cost in costs) + " |")


def glide_of(url: str) -> Awaitable[tuple[Any, Any]] | None:
    """Return a client of valkey-glide and the script, or None where it is not installed."""
    try:
        glide = import_module("glide")
    except ImportError:
        return None

    async def opened() -> tuple[Any, Any]:
        host, _, port = url.removeprefix("redis://").partition("/")[0].partition(":")
        where = glide.NodeAddress(host, int(port))
        return await glide.GlideClient.create(glide.GlideClientConfiguration([where])), glide.Script(TEXT)

    return opened()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
