"""Fills an empty database with the demo's customers and two years of synthetic prices.

`python -m tools.portfolio.seed` does so in the database that the settings name, in development only.
"""

import asyncio
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Table, exists, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gatehouse import Settings, open_database, see_tenant
from tools.money.tables import cash_accounts
from tools.portfolio.demo_data import (
    DEMO_CUSTOMERS,
    DEMO_INSTRUMENTS,
    FIRST_DAY,
    LAST_DAY,
    PRICE_SOURCE,
    DemoCustomer,
    DemoInstrument,
)
from tools.portfolio.tables import accounts, holdings, instruments, prices

WEEKEND = (5, 6)  # of date.weekday()
TRADING_DAYS_A_YEAR = 261  # weekdays: the demo knows no holidays

Closes = Mapping[date, Decimal]
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SeedResult:
    """The demo's customers, and whether this call inserted them."""

    customers: tuple[DemoCustomer, ...]
    inserted: bool


async def seed(engine: AsyncEngine) -> SeedResult:
    """Insert the demo data, unless there is an instrument already.

    Then nothing is changed, but that customers of an earlier release are given money. The data is the same at
    every run and on every machine. It is inserted as a whole or not at all.
    """
    async with engine.begin() as connection:
        if await connection.scalar(select(exists().select_from(instruments))):
            await _give_money(connection)
            return SeedResult(DEMO_CUSTOMERS, inserted=False)
        days = weekdays(FIRST_DAY, LAST_DAY)
        closes = {instrument.symbol: random_walk(instrument, days) for instrument in DEMO_INSTRUMENTS}
        await connection.execute(instruments.insert(), [_instrument(item) for item in DEMO_INSTRUMENTS])
        await connection.execute(prices.insert(), _prices(closes))
        for customer in DEMO_CUSTOMERS:
            await see_tenant(connection, customer.tenant_id)
            await connection.execute(accounts.insert(), [_account(customer)])
            await connection.execute(holdings.insert(), _holdings(customer, closes))
        await _give_money(connection)
    return SeedResult(DEMO_CUSTOMERS, inserted=True)


def weekdays(first: date, last: date) -> list[date]:
    """Return the days from `first` to `last`, both included, without Saturdays and Sundays."""
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [day for day in days if day.weekday() not in WEEKEND]


def random_walk(instrument: DemoInstrument, days: Sequence[date]) -> Closes:
    """Return a close of at least 0.01 for each day, to the cent: a geometric Brownian motion.

    The symbol is the random seed, so that the same days always get the same closes.
    """
    draw = random.Random(instrument.symbol)  # noqa: S311  # reproducible on purpose, and no secret
    step = instrument.drift / TRADING_DAYS_A_YEAR
    spread = instrument.volatility / math.sqrt(TRADING_DAYS_A_YEAR)
    close, closes = instrument.first_close, {}
    for day in days:
        closes[day] = Decimal(f"{max(close, 0.01):.2f}")
        close *= math.exp(step - spread**2 / 2 + spread * draw.gauss())
    return closes


def _instrument(item: DemoInstrument) -> Record:
    return {
        "symbol": item.symbol,
        "name": item.name,
        "sector": item.sector,
        "price_source": PRICE_SOURCE,
    }


def _prices(closes: Mapping[str, Closes]) -> list[Record]:
    return [
        {"symbol": symbol, "day": day, "close": close}
        for symbol, series in closes.items()
        for day, close in series.items()
    ]


def _account(customer: DemoCustomer) -> Record:
    return {
        "tenant_id": customer.tenant_id,
        "user_id": customer.user_id,
        "portfolio_id": customer.portfolio_id,
        "name": f"{customer.name}'s demo portfolio",
        "currency": "USD",
        "opened_on": customer.opened_on,
    }


async def _give_money(connection: AsyncConnection) -> None:
    """Open an account for each customer with a portfolio who has none."""
    for customer in DEMO_CUSTOMERS:
        await see_tenant(connection, customer.tenant_id)
        if await _is_in(connection, accounts, customer) and not await _is_in(
            connection, cash_accounts, customer
        ):
            await connection.execute(cash_accounts.insert().values(_cash(customer)))


async def _is_in(connection: AsyncConnection, table: Table, customer: DemoCustomer) -> bool:
    theirs = table.c.tenant_id == customer.tenant_id, table.c.user_id == customer.user_id
    return bool(await connection.scalar(select(exists().where(*theirs))))


def _cash(customer: DemoCustomer) -> Record:
    return {
        "tenant_id": customer.tenant_id,
        "user_id": customer.user_id,
        "currency": "USD",
        "balance": customer.cash,
    }


def _holdings(customer: DemoCustomer, closes: Mapping[str, Closes]) -> list[Record]:
    return [
        {
            "tenant_id": customer.tenant_id,
            "user_id": customer.user_id,
            "portfolio_id": customer.portfolio_id,
            "symbol": symbol,
            "quantity": Decimal(quantity),
            "cost_basis": Decimal(quantity) * closes[symbol][customer.opened_on],
        }
        for symbol, quantity in customer.bought
    ]


async def main() -> None:
    settings = Settings()
    if not settings.development:
        raise SystemExit("The demo's customers are for development: GATEHOUSE_ENVIRONMENT is production.")
    async with open_database(settings) as engine:
        await seed(engine)


if __name__ == "__main__":
    asyncio.run(main())
