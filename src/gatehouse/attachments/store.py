"""Where attachments are kept. What is another's is not found, as if it did not exist."""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from langchain_core.utils.uuid import uuid7
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.attachments.media_types import media_type_of
from gatehouse.attachments.tables import attachments
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import Conflict, NotFound, UnsupportedMediaType
from gatehouse.storage.digest import digest_of
from gatehouse.storage.tenancy import tenant_transaction

NO_SUCH_ATTACHMENT = "There is no such attachment."
LONGEST_NAME = 255
SHOWN = [column for column in attachments.c if column.name not in ("content", "tenant_id", "user_id")]


class Attachment(BaseModel):
    """What is known of a file, but for its bytes."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    id: str = Field(description="UUIDv7", examples=["0198c0de-0000-7000-8000-000000000004"])
    name: str = Field(description="as its sender called it", examples=["chart.png"])
    media_type: str = Field(description="by its content", examples=["image/png"])
    size: int = Field(description="bytes", examples=[52_113])
    thread_id: str | None = Field(
        description="the thread that it was asked about in, with which it is erased"
    )
    created_at: datetime
    expires_at: datetime | None = Field(description="when it is erased, unless a question with it is asked")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much is kept: `files` and `bytes_in_all` of one user, `lifetime` of what no thread has."""

    files: int
    bytes_in_all: int
    lifetime: timedelta


class AttachmentStore:
    """The attachments of every user. A connection is held for one call and no longer."""

    def __init__(self, engine: AsyncEngine, bounds: Bounds) -> None:
        self._engine = engine
        self._bounds = bounds

    async def keep(self, principal: Principal, name: str, content: bytes) -> Attachment:
        """Keep a file of the principal's.

        Raises UnsupportedMediaType for what no model is shown, and Conflict when the principal has as much
        as one may.
        """
        media_type = media_type_of(content)
        if media_type is None:
            raise UnsupportedMediaType("A file is an image, audio, a PDF or text, by its content.")
        now = datetime.now(UTC)
        row = {
            "id": str(uuid7()),
            "tenant_id": principal.tenant_id,
            "user_id": principal.user_id,
            "name": plain_name(name),
            "media_type": media_type,
            "size": len(content),
            "content": content,
            "created_at": now,
            "expires_at": now + self._bounds.lifetime,
        }
        async with self._transaction(principal) as connection:
            await one_at_a_time(connection, principal)
            await self._check_room(connection, principal, len(content))
            await connection.execute(insert(attachments), row)
        return Attachment.model_validate({**row, "thread_id": None})

    async def get(self, principal: Principal, attachment_id: str) -> Attachment:
        """Return what is known of the principal's file. Raises NotFound."""
        async with self._transaction(principal) as connection:
            rows = await connection.execute(select(*SHOWN).where(this(principal, attachment_id)))
            return Attachment.model_validate(found(rows.one_or_none()))

    async def list(self, principal: Principal) -> list[Attachment]:
        """Return what the principal has, the oldest first."""
        query = select(*SHOWN).where(living(principal)).order_by(attachments.c.id)
        async with self._transaction(principal) as connection:
            return [Attachment.model_validate(row) for row in await connection.execute(query)]

    async def resolve(self, attachment_id: str, principal: Principal) -> tuple[bytes, str]:
        """Return the bytes of the principal's file, and its media type. Raises NotFound."""
        query = select(attachments.c.content, attachments.c.media_type).where(this(principal, attachment_id))
        async with self._transaction(principal) as connection:
            row = found((await connection.execute(query)).one_or_none())
        return bytes(row.content), str(row.media_type)

    async def bind(self, principal: Principal, attachment_ids: Collection[str], thread_id: str) -> None:
        """Have files stay for as long as a thread of the principal's. To do so twice is to do so once.

        Raises NotFound, and changes nothing, when one of them is not the principal's, or another thread's.
        """
        async with self._transaction(principal) as connection:
            await bind(connection, principal, attachment_ids, thread_id)

    async def delete(self, principal: Principal, attachment_id: str) -> None:
        """Erase the principal's file. Raises NotFound."""
        async with self._transaction(principal) as connection:
            erased = await connection.execute(delete(attachments).where(this(principal, attachment_id)))
        if not erased.rowcount:
            raise NotFound(NO_SUCH_ATTACHMENT)

    async def _check_room(self, connection: AsyncConnection, principal: Principal, size: int) -> None:
        query = select(func.count(), func.coalesce(func.sum(attachments.c.size), 0)).where(living(principal))
        count, in_all = (await connection.execute(query)).one()
        if count >= self._bounds.files:
            raise Conflict(f"You have {count} attachments, and may have {self._bounds.files}: delete some.")
        if in_all + size > self._bounds.bytes_in_all:
            most = self._bounds.bytes_in_all
            raise Conflict(f"Your attachments have {in_all} bytes, and may have {most}: delete some.")

    def _transaction(self, principal: Principal) -> AbstractAsyncContextManager[AsyncConnection]:
        return tenant_transaction(self._engine, principal.tenant_id)


async def bind(
    connection: AsyncConnection, principal: Principal, attachment_ids: Collection[str], thread_id: str
) -> None:
    """Have files stay for as long as a thread, within a transaction on it. Raises NotFound."""
    if not attachment_ids:
        return
    mine = and_(
        living(principal),
        attachments.c.id.in_(attachment_ids),
        or_(attachments.c.thread_id.is_(None), attachments.c.thread_id == thread_id),
    )
    stays = update(attachments).where(mine).values(thread_id=thread_id, expires_at=None)
    if (await connection.execute(stays)).rowcount != len(set(attachment_ids)):
        raise NotFound(NO_SUCH_ATTACHMENT)


def living(principal: Principal) -> ColumnElement[bool]:
    """Return the condition that a row is the principal's and has not expired."""
    return and_(
        attachments.c.tenant_id == principal.tenant_id,
        attachments.c.user_id == principal.user_id,
        or_(attachments.c.expires_at.is_(None), attachments.c.expires_at > datetime.now(UTC)),
    )


def this(principal: Principal, attachment_id: str) -> ColumnElement[bool]:
    return and_(living(principal), attachments.c.id == attachment_id)


def found(row: Row[*tuple[Any, ...]] | None) -> Row[*tuple[Any, ...]]:
    if row is None:
        raise NotFound(NO_SUCH_ATTACHMENT)
    return row


async def one_at_a_time(connection: AsyncConnection, principal: Principal) -> None:
    """Have the user's other uploads wait for this transaction: two at once could pass a limit together.

    SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        number = int(digest_of("attachments", principal.tenant_id, principal.user_id)[:15], 16)
        await connection.execute(select(func.pg_advisory_xact_lock(number)))


def plain_name(name: str) -> str:
    """Return a file's name without folders and without what no name has."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(filter(str.isprintable, last)).strip()[:LONGEST_NAME] or "file"
