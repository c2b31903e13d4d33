"""Has webhooks sent: each is written in the transaction that does what it tells of."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid5

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.storage.inserting import insert_if_new
from gatehouse.webhooks.table import webhooks

Type = Literal["approval.opened", "run.ended"]

ONCE = UUID("7d3c1c9e-6a0e-4a86-9a52-0a1f6f8f4f0e")  # the namespace of their ids


class Outbox:
    """What is to be sent, as the parts of the server have it sent."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._insert = insert_if_new(engine, webhooks)

    async def add(
        self,
        connection: AsyncConnection,
        tenant_id: str,
        user_id: str,
        type: Type,  # noqa: A002  # as the receiver calls it
        subject: str,
        data: Mapping[str, Any],
    ) -> None:
        """Have it told of a subject, by its id, that this has happened: once, however often it is added."""
        now = datetime.now(UTC)
        row = {
            "id": str(uuid5(ONCE, f"{type}\0{subject}")),
            "tenant_id": tenant_id,
            "user_id": user_id,
            "type": type,
            "data": dict(data),
            "created_at": now,
            "due_at": now,
            "tries": 0,
        }
        await connection.execute(self._insert, [row])
