"""The books of what runs used: entered once a run, read by day, runnable and model."""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Select, case, func, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse.identity.principal import Principal
from gatehouse.runs.accounts import Account
from gatehouse.runs.events import Usage, UsageDetails
from gatehouse.storage.inserting import insert_if_new
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.usage.prices import Prices
from gatehouse.usage.tables import usage

COUNTS = (
    *("input_tokens", "output_tokens", "total_tokens"),
    *("reasoning_tokens", "cached_tokens", "estimated_tokens"),
)
NOTHING_ELSE = UsageDetails()


Ended = Callable[[AsyncConnection, Account], Awaitable[None]]


async def nothing_more(_connection: AsyncConnection, _account: Account) -> None:
    """Do nothing: where nobody else is told of a run that has ended."""


class UsageOfDay(BaseModel):
    """What runs of one runnable used of one model on one day (UTC), by when they ended."""

    model_config = ConfigDict(from_attributes=True)

    day: date
    user_id: str
    runnable: str
    model: str = Field(description="empty for runs that called no model", examples=["gpt-5-mini"])
    runs: int = Field(description="runs that used this model; one that used two is counted with each")
    failed: int = Field(description="of these, the runs that failed or were cancelled")
    cut: int = Field(description="of these, the runs whose answer was cut at the model's limit")
    input_tokens: int
    output_tokens: int
    total_tokens: int
    reasoning_tokens: int = Field(description="of the output tokens, those that the model thought in")
    cached_tokens: int = Field(description="of the input tokens, those that its provider had in its cache")
    estimated_tokens: int = Field(description="of all tokens, those that no provider counted")
    cost: float | None = Field(None, description="by the operator's prices; null for a model without one")


class UsageStore:
    """What was used by whom."""

    def __init__(
        self, engine: AsyncEngine, prices: Prices | None = None, ended: Ended = nothing_more
    ) -> None:
        """`ended` is told of each run, in the transaction that enters it, and again when that is repeated."""
        self._engine = engine
        self._ended = ended
        self.prices = prices or Prices()
        self._insert = insert_if_new(engine, usage)

    async def enter(self, accounts: Sequence[Account]) -> None:
        """Enter these runs; those that are in the books already stay as they are."""
        by_tenant: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
        for account in accounts:
            by_tenant[account.tenant_id] += rows_of(account)
        for tenant_id, rows in by_tenant.items():
            async with tenant_transaction(self._engine, tenant_id) as connection:
                await connection.execute(self._insert, rows)
                for account in accounts:
                    if account.tenant_id == tenant_id:
                        await self._ended(connection, account)

    async def of_user(self, principal: Principal, first: date, last: date) -> list[UsageOfDay]:
        """Return what the caller used from the first day to the last, the newest first."""
        query = grouped(principal, first, last).where(usage.c.user_id == principal.user_id)
        return await self._read(principal, query)

    async def of_tenant(self, principal: Principal, first: date, last: date) -> list[UsageOfDay]:
        """Return what each user of the caller's tenant used from the first day to the last."""
        return await self._read(principal, grouped(principal, first, last))

    async def _read(self, principal: Principal, query: Select[Any]) -> list[UsageOfDay]:
        async with tenant_transaction(self._engine, principal.tenant_id) as connection:
            rows = (await connection.execute(query)).all()
        return [priced(UsageOfDay.model_validate(row), self.prices) for row in rows]


def priced(used: UsageOfDay, prices: Prices) -> UsageOfDay:
    """Return a usage with what it cost."""
    price = prices.of(used.model)
    if price is None:
        return used
    cost = price.of(used.input_tokens, used.output_tokens, used.cached_tokens)
    return used.model_copy(update={"cost": cost})


def rows_of(account: Account) -> list[dict[str, Any]]:
    """Return an account's rows: one for each model, or one with nothing used."""
    ended_at = datetime.fromtimestamp(account.ended_at, UTC)
    run = {
        "run_id": account.run_id,
        "tenant_id": account.tenant_id,
        "user_id": account.user_id,
        "runnable": account.runnable,
        "status": account.status,
        "finish_reason": account.finish_reason,
        "ended_at": ended_at,
        "day": ended_at.date(),
    }
    return [
        {
            **run,
            "model": model,
            "input_tokens": used.input_tokens,
            "output_tokens": used.output_tokens,
            "total_tokens": used.total_tokens,
            "reasoning_tokens": account.details.get(model, NOTHING_ELSE).reasoning,
            "cached_tokens": account.details.get(model, NOTHING_ELSE).cached,
            "estimated_tokens": account.details.get(model, NOTHING_ELSE).estimated,
        }
        for model, used in (account.models or {"": Usage()}).items()
    ]


def grouped(principal: Principal, first: date, last: date) -> Select[Any]:
    """Return the query for a tenant's usage, without saying of which users."""
    by = (usage.c.day, usage.c.user_id, usage.c.runnable, usage.c.model)
    return (
        select(
            *by,
            func.count().label("runs"),
            func.sum(case((usage.c.status == "completed", 0), else_=1)).label("failed"),
            func.sum(case((usage.c.finish_reason == "length", 1), else_=0)).label("cut"),
            *(func.sum(usage.c[name]).label(name) for name in COUNTS),
        )
        .where(usage.c.tenant_id == principal.tenant_id, usage.c.day.between(first, last))
        .group_by(*by)
        .order_by(usage.c.day.desc(), usage.c.user_id, usage.c.runnable, usage.c.model)
    )
