"""Reads the audit log of one tenant, the newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select, select, tuple_
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.audit.entry import Action, Outcome
from gatehouse.audit.table import audit_log
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.threads.cursors import audit_cursor, read_audit_cursor


class AuditRow(BaseModel):
    """Something that happened in the caller's tenant."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    time: datetime
    user_id: str | None = Field(description="who did it; null: the operator")
    action: Action
    outcome: Outcome
    subject: str = Field(description="the key, token, tool, limit or route that it is about")
    request_id: str = Field(description="as in x-request-id and the logs; of a tool's call: empty")
    address: str = Field(description="the caller's network address; empty where there is none")
    details: dict[str, Any]


class AuditPage(BaseModel):
    """Some rows; `next_cursor` is null on the last page."""

    items: list[AuditRow]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows: those of an action, of a user, not before `since`, before `until`."""

    action: Action | None = None
    user: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    def of(self, tenant_id: str) -> Select[Any]:
        """Return the query for these rows of a tenant."""
        query = select(audit_log).where(audit_log.c.tenant_id == tenant_id)
        if self.action is not None:
            query = query.where(audit_log.c.action == self.action)
        if self.user is not None:
            query = query.where(audit_log.c.user_id == self.user)
        if self.since is not None:
            query = query.where(audit_log.c.time >= self.since)
        if self.until is not None:
            query = query.where(audit_log.c.time < self.until)
        return query


async def audit_page(
    engine: AsyncEngine, tenant_id: str, wanted: Wanted, limit: int, cursor: str | None
) -> AuditPage:
    """Return a page of a tenant's rows. Raises BadRequest for the cursor."""
    place = (audit_log.c.time, audit_log.c.id)
    query = wanted.of(tenant_id).order_by(*(column.desc() for column in place)).limit(limit + 1)
    if cursor is not None:
        query = query.where(tuple_(*place) < read_audit_cursor(cursor))
    async with tenant_transaction(engine, tenant_id) as connection:
        rows = (await connection.execute(query)).all()
    items = [AuditRow.model_validate(row) for row in rows[:limit]]
    more = len(rows) > limit
    return AuditPage(items=items, next_cursor=audit_cursor(items[-1].time, items[-1].id) if more else None)
