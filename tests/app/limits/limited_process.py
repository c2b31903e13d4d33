"""A replica in a process of its own, whose clock may be wrong, that asks for all it can get.

python limited_process.py REDIS_URL SECONDS_OFF WHAT: WHAT is requests, runs, tokens or hold. It prints how much
it got; `hold` takes runs, says so, and keeps them until it is killed.
"""

import asyncio
import sys
import time

from limited_callers import ALICE, Process, plans
from redis.asyncio import Redis

ASKS = 400
AT_ONCE = 20
LIMITS = {
    "requests_per_minute": 1,
    "burst": 300,
    "tenant_burst": 10_000,
    "concurrent_runs": 50,
    "tokens_per_day": 100_000,
    "tokens_reserved": 1000,
}
LEASE = 2.0  # seconds, of what is held until its process is killed


def set_clock(seconds_off: float) -> None:
    """Have this process believe that it is another time."""
    right = time.time
    time.time = lambda: right() + seconds_off


async def got(replica: Process, what: str) -> int:
    """Ask many times, several at once, and return how often it was granted."""
    granted = 0
    free = asyncio.Semaphore(AT_ONCE)

    async def ask() -> None:
        nonlocal granted
        async with free:
            if what == "requests":
                if await replica.request() is None:
                    granted += 1
                return
            # runs are held, so that no other gets them; tokens are spent, each run ending at once
            admitted = await replica.limiter.admit(ALICE, 0, 1)
            if admitted.refusal is None:
                granted += 1
                if what == "tokens":
                    await replica.settle(admitted.seats[0], 1000)

    await asyncio.gather(*(ask() for _ in range(ASKS)))
    return granted


async def main(url: str, seconds_off: float, what: str) -> None:
    set_clock(seconds_off)
    async with Redis.from_url(url) as redis:
        replica = Process(redis, plans(**LIMITS), LEASE if what == "hold" else 120)
        if what == "hold":
            for _ in range(30):
                await replica.admission().take()
            print("holding", flush=True)
            while True:
                await replica.holds.renew()
                await asyncio.sleep(LEASE / 8)
        print(await got(replica, what), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]), sys.argv[3]))
