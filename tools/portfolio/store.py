"""Reads the portfolio data. What belongs to a person is read for one caller only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, Table, and_, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse import Caller, tenant_transaction
from tools.portfolio.tables import accounts, holdings, instruments, prices

AnyRow = Row[*tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Portfolio:
    """An account of one user of one tenant. Its prices and values are in `currency` (ISO 4217)."""

    tenant_id: str
    user_id: str
    portfolio_id: str
    name: str
    currency: str
    opened_on: date


@dataclass(frozen=True, slots=True)
class Instrument:
    """Something that can be held. `price_source` tells where its prices come from."""

    symbol: str
    name: str
    sector: str
    price_source: str


@dataclass(frozen=True, slots=True)
class Holding:
    """A quantity of an instrument. `cost_basis` is what was paid for all of it.

    `price` is the latest close, of the day `priced_on`; both are None when no price is known.
    """

    instrument: Instrument
    quantity: Decimal
    cost_basis: Decimal
    price: Decimal | None
    priced_on: date | None

    @property
    def market_value(self) -> Decimal | None:
        return None if self.price is None else self.price * self.quantity

    @property
    def unrealised_gain(self) -> Decimal | None:
        return None if self.market_value is None else self.market_value - self.cost_basis


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Closes of several instruments on the same ascending `days`: `closes[symbol][i]` is of `days[i]`."""

    days: tuple[date, ...]
    closes: Mapping[str, tuple[Decimal, ...]]


class PortfolioStore:
    """The queries of the portfolio tools. A connection is held for one call and no longer."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def portfolios(self, caller: Caller) -> tuple[Portfolio, ...]:
        """Return the caller's portfolios by id: only the one that the credential names, if it names one."""
        query = select(accounts).where(_owned_by(accounts, caller)).order_by(accounts.c.portfolio_id)
        return tuple(Portfolio(*row) for row in await self._rows_of(caller, query))

    async def holdings(self, caller: Caller, portfolio_id: str) -> tuple[Holding, ...]:
        """Return what the caller holds in a portfolio, by symbol; nothing when it is not the caller's."""
        priced_on = (
            select(func.max(prices.c.day))
            .where(prices.c.symbol == holdings.c.symbol)
            .correlate(holdings)
            .scalar_subquery()
        )
        latest = and_(prices.c.symbol == holdings.c.symbol, prices.c.day == priced_on)
        query = (
            select(instruments, holdings.c.quantity, holdings.c.cost_basis, prices.c.close, prices.c.day)
            .select_from(holdings)
            .join(instruments, instruments.c.symbol == holdings.c.symbol)
            .outerjoin(prices, latest)
            .where(_owned_by(holdings, caller), holdings.c.portfolio_id == portfolio_id)
            .order_by(holdings.c.symbol)
        )
        return tuple(
            Holding(_instrument(row), row.quantity, row.cost_basis, row.close, row.day)
            for row in await self._rows_of(caller, query)
        )

    async def instruments(self, symbols: Sequence[str] | None = None) -> tuple[Instrument, ...]:
        """Return the instruments with these symbols (all of them without `symbols`), by symbol."""
        query = select(instruments).order_by(instruments.c.symbol)
        if symbols is not None:
            query = query.where(instruments.c.symbol.in_(symbols))
        return tuple(_instrument(row) for row in await self._rows(query))

    async def latest_day(self) -> date | None:
        """Return the last day that has a price, None when there are no prices."""
        [row] = await self._rows(select(func.max(prices.c.day).label("day")))
        day: date | None = row.day
        return day

    async def closes(self, symbols: Sequence[str], first: date, last: date, *, points: int) -> PriceTable:
        """Return the closes of `symbols` from `first` to `last`, on at most `points` (>= 2) of the days.

        Only days on which every one of the symbols has a price count, so that values of different days
        can be compared. The days are evenly spread; the first and the last are always there.
        """
        wanted = prices.c.symbol.in_(symbols)
        common_days = (
            select(prices.c.day)
            .where(wanted, prices.c.day.between(first, last))
            .group_by(prices.c.day)
            .having(func.count() == len(set(symbols)))
            .order_by(prices.c.day)
        )
        days = spread([row.day for row in await self._rows(common_days)], points)
        closes: dict[str, list[Decimal]] = {symbol: [] for symbol in symbols}
        query = select(prices).where(wanted, prices.c.day.in_(days)).order_by(prices.c.day)
        for row in await self._rows(query):
            closes[row.symbol].append(row.close)
        return PriceTable(days, {symbol: tuple(series) for symbol, series in closes.items()})

    async def _rows_of(self, caller: Caller, query: Select[*tuple[Any, ...]]) -> Sequence[AnyRow]:
        async with tenant_transaction(self._engine, caller.tenant_id) as connection:
            return (await connection.execute(query)).all()

    async def _rows(self, query: Select[*tuple[Any, ...]]) -> Sequence[AnyRow]:
        async with self._engine.connect() as connection:
            return (await connection.execute(query)).all()


def spread(days: Sequence[date], points: int) -> tuple[date, ...]:
    """Return at most `points` (>= 2) of `days`, evenly spread, with the first and the last."""
    if len(days) <= points:
        return tuple(days)
    return tuple(days[round(i * (len(days) - 1) / (points - 1))] for i in range(points))


def price_sources(instruments: Iterable[Instrument]) -> str:
    """Return where the prices of these instruments come from, each source once."""
    return ", ".join(sorted({instrument.price_source for instrument in instruments}))


def _owned_by(table: Table, caller: Caller) -> ColumnElement[bool]:
    mine = and_(table.c.tenant_id == caller.tenant_id, table.c.user_id == caller.user_id)
    portfolio_id = caller.claims.get("portfolio_id")
    return mine if portfolio_id is None else and_(mine, table.c.portfolio_id == portfolio_id)


def _instrument(row: AnyRow) -> Instrument:
    return Instrument(row.symbol, row.name, row.sector, row.price_source)
