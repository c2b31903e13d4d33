"""Sends webhooks: one attempt at a time, by whichever replica looks first, again until they are taken."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import structlog
from sqlalchemy import Row, and_, delete, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.background import about, again_and_again, in_background
from gatehouse.plain_json import json_bytes
from gatehouse.storage.tenancy import see_as_operator
from gatehouse.webhooks.receiver import Receiver
from gatehouse.webhooks.signing import signature
from gatehouse.webhooks.table import webhooks

log = structlog.get_logger(__name__)

PAUSE = 2.0  # seconds between two looks
AT_ONCE = 20
ANSWER_SECONDS = 10.0  # in which a receiver answers
TURN = timedelta(seconds=60)  # in which the process that took one has sent it
FIRST_AGAIN, LONGEST = 5.0, 3600.0  # seconds until it is tried again
GIVE_UP_AFTER = timedelta(days=3)


@asynccontextmanager
async def sending_webhooks(engine: AsyncEngine, receiver: Receiver | None) -> AsyncIterator[None]:
    """Send what is to be sent while the context is open; without a receiver nothing is."""
    if receiver is None:
        yield
        return
    async with httpx2.AsyncClient(timeout=ANSWER_SECONDS) as client:
        sender = Sender(engine, receiver, client)
        away = (SQLAlchemyError, OSError)
        looking = again_and_again(sender.send_due, about(PAUSE), "webhooks cannot be sent", away)
        async with in_background(webhooks=looking):
            yield


class Sender:
    """Sends the webhooks of all tenants."""

    def __init__(self, engine: AsyncEngine, receiver: Receiver, client: httpx2.AsyncClient) -> None:
        self._engine = engine
        self._receiver = receiver
        self._client = client

    async def send_due(self) -> None:
        """Send what is due, those that wait longest first."""
        query = select(webhooks).where(webhooks.c.due_at <= datetime.now(UTC))
        async with self._engine.begin() as connection:
            await see_as_operator(connection)
            rows = list(await connection.execute(query.order_by(webhooks.c.due_at).limit(AT_ONCE)))
        for row in rows:
            if await self._take(row):
                await self._send(row)

    async def _take(self, row: Row[Any]) -> bool:
        """Take it, so that no other process sends it meanwhile; False when another has it."""
        same = and_(webhooks.c.id == row.id, webhooks.c.tries == row.tries)
        taken = update(webhooks).where(same)
        changed = {"tries": row.tries + 1, "due_at": datetime.now(UTC) + TURN}
        async with self._engine.begin() as connection:
            await see_as_operator(connection)
            return bool((await connection.execute(taken.values(changed))).rowcount)

    async def _send(self, row: Row[Any]) -> None:
        fault = await self._fault(row)
        this = webhooks.c.id == row.id
        statement: Any = delete(webhooks).where(this)
        if fault and datetime.now(UTC) - row.created_at > GIVE_UP_AFTER:
            log.error("webhook was never taken", webhook_id=row.id, type=row.type, fault=fault)
        elif fault:
            seconds = min(LONGEST, FIRST_AGAIN * 2**row.tries) * random.uniform(0.8, 1.2)  # noqa: S311
            log.warning("webhook was not taken", webhook_id=row.id, type=row.type, fault=fault)
            due_at = datetime.now(UTC) + timedelta(seconds=seconds)
            statement = update(webhooks).where(this).values(due_at=due_at)
        async with self._engine.begin() as connection:
            await see_as_operator(connection)
            await connection.execute(statement)

    async def _fault(self, row: Row[Any]) -> str:
        """Post it; return why it was not taken, empty when it was. A redirection is not followed."""
        body = json_bytes(
            {"type": row.type, "timestamp": row.created_at, "tenant_id": row.tenant_id, "data": row.data}
        )
        now = int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": "gatehouse",
            "webhook-id": row.id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self._receiver.key, row.id, now, body),
        }
        try:
            response = await self._client.post(self._receiver.url, content=body, headers=headers)
        except httpx2.HTTPError as error:
            return type(error).__name__
        return "" if response.is_success else f"answered {response.status_code}"
