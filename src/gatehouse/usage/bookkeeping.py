"""Enters ended runs in the books, behind the runs' backs.

The end of a run leaves its account in Redis, in the same step (gatehouse.runs.lifecycle.attempts). From there
it goes into the database, and only then leaves Redis: whatever dies in between, every run is entered, and
once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from gatehouse.background import all_of, in_background
from gatehouse.runs.accounts import ACCOUNTS, parsed_account
from gatehouse.storage.redis.cluster.client import everywhere
from gatehouse.usage.store import UsageStore

log = structlog.get_logger(__name__)

PAUSE = 1.0  # seconds between two looks
AT_ONCE = 500
BOOKKEEPER = "gh:usage:bookkeeper"
TURN_MS = 10_000  # that one process keeps the books at a time; two at once would do no harm but work


@asynccontextmanager
async def bookkeeping(redis: Redis, store: UsageStore, owner: str) -> AsyncIterator["Bookkeeper"]:
    """Keep the books while the context is open. What is not entered then waits for the next process."""
    bookkeeper = Bookkeeper(redis, store, owner)
    async with in_background(bookkeeping=bookkeeper.work()):
        yield bookkeeper


class Bookkeeper:
    """One process's part in keeping the books. `owner` is its name."""

    def __init__(self, redis: Redis, store: UsageStore, owner: str) -> None:
        self._redis = redis
        self._store = store
        self._owner = owner

    async def work(self) -> None:
        """Enter accounts until cancelled."""
        while True:
            try:
                if await self._are_some() and await self._is_my_turn():
                    while await self.enter_some():
                        pass
            except (RedisError, SQLAlchemyError, OSError) as error:
                log.warning("usage cannot be entered", error=type(error).__name__)
            except Exception:  # the next look may find others
                log.exception("usage is not entered")
            await asyncio.sleep(PAUSE)

    async def enter_some(self) -> int:
        """Enter some accounts and return how many they were. Raises what the database and Redis raise."""
        return sum(await all_of(self._enter(accounts) for accounts in everywhere(self._redis, ACCOUNTS)))

    async def _are_some(self) -> bool:
        return any(await all_of(self._redis.hlen(accounts) for accounts in everywhere(self._redis, ACCOUNTS)))

    async def _enter(self, accounts: str) -> int:
        reply: Any = await self._redis.hscan(accounts, count=AT_ONCE)
        kept: dict[bytes, bytes] = reply[1]
        if kept:
            await self._store.enter([parsed_account(account) for account in kept.values()])
            await self._redis.hdel(accounts, *kept)
        return len(kept)

    async def _is_my_turn(self) -> bool:
        return bool(await self._redis.set(BOOKKEEPER, self._owner, nx=True, px=TURN_MS)) or (
            await self._redis.get(BOOKKEEPER) == self._owner.encode()
        )
