"""A replica in a process of its own, whose clock may be wrong, that asks for all it can get."""

import asyncio
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


def claim(url: str, seconds_off: float, what: str) -> None:
    """Claim requests, runs or tokens, and print how many were granted; `hold` takes runs, and keeps them."""
    set_clock(seconds_off)
    asyncio.run(claimed(url, what))


async def claimed(url: str, what: str) -> None:
    async with Redis.from_url(url) as redis:
        replica = Process(redis, plans(**LIMITS), LEASE if what == "reservation" else 120)
        if what == "reservation":
            for _ in range(30):
                await replica.admission().take()
            print("holding", flush=True)
            while True:
                await replica.reservations.renew()
                await asyncio.sleep(LEASE / 8)
        print(await got(replica, what), flush=True)
