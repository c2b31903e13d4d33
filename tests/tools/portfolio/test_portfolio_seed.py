from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.identity.caller import Caller
from tools.portfolio.demo_data import DEMO_CUSTOMERS, DEMO_INSTRUMENTS, DemoInstrument
from tools.portfolio.seed import random_walk, seed, weekdays
from tools.portfolio.store import PortfolioStore
from tools.portfolio.tables import accounts, holdings, instruments, metadata, prices


async def everything(engine: AsyncEngine) -> dict[str, Sequence[Any]]:
    async with engine.connect() as connection:
        return {
            table.name: (await connection.execute(select(table).order_by(*table.primary_key))).all()
            for table in metadata.sorted_tables
        }


class TestSeed:
    async def test_inserts_five_customers_of_two_tenants(self, empty_engine: AsyncEngine) -> None:
        result = await seed(empty_engine)
        assert result.inserted
        assert [(c.tenant_id, c.user_id, c.portfolio_id) for c in result.customers] == [
            ("acme", "alice", "acme-alice-1"),
            ("acme", "carol", "acme-carol-1"),
            ("acme", "dave", "acme-dave-1"),
            ("beta", "bob", "beta-bob-1"),
            ("beta", "erin", "beta-erin-1"),
        ]

    async def test_gives_each_customer_other_holdings(self, store: PortfolioStore) -> None:
        held = {
            tuple(
                (holding.instrument.symbol, holding.quantity)
                for holding in await store.holdings(
                    Caller(customer.tenant_id, customer.user_id), customer.portfolio_id
                )
            )
            for customer in DEMO_CUSTOMERS
        }
        assert len(held) == 5
        assert all(held)

    async def test_covers_two_years_of_weekdays(self, engine: AsyncEngine) -> None:
        query = select(func.min(prices.c.day), func.max(prices.c.day), func.count()).group_by(prices.c.symbol)
        async with engine.connect() as connection:
            rows = (await connection.execute(query)).all()
        assert rows == [(date(2024, 10, 30), date(2026, 10, 30), 523)] * 20

    async def test_says_of_every_instrument_that_its_prices_are_synthetic(
        self, store: PortfolioStore
    ) -> None:
        assert all("synthetic" in instrument.price_source for instrument in await store.instruments())

    async def test_changes_nothing_the_second_time(self, engine: AsyncEngine) -> None:
        before = await everything(engine)
        result = await seed(engine)
        assert (result.inserted, result.customers) == (False, DEMO_CUSTOMERS)
        assert await everything(engine) == before

    async def test_makes_the_same_data_everywhere(
        self, engine: AsyncEngine, empty_engine: AsyncEngine
    ) -> None:
        await seed(empty_engine)
        assert await everything(empty_engine) == await everything(engine)

    async def test_leaves_data_of_its_owner_alone(self, empty_engine: AsyncEngine) -> None:
        own = {"symbol": "OWN", "name": "Own", "sector": "Own", "price_source": "exchange"}
        async with empty_engine.begin() as connection:
            await connection.execute(instruments.insert(), own)
        assert not (await seed(empty_engine)).inserted
        async with empty_engine.connect() as connection:
            assert await connection.scalar(select(func.count()).select_from(instruments)) == 1

    async def test_inserts_all_or_nothing(self, empty_engine: AsyncEngine) -> None:
        account = {"tenant_id": "acme", "user_id": "alice", "portfolio_id": "acme-alice-1"}
        async with empty_engine.begin() as connection:
            await connection.execute(
                accounts.insert(),
                {**account, "name": "in the way", "currency": "USD", "opened_on": date(2026, 1, 1)},
            )
        with pytest.raises(IntegrityError):
            await seed(empty_engine)
        found = await everything(empty_engine)
        assert [len(found[t.name]) for t in (instruments, prices, accounts, holdings)] == [0, 0, 1, 0]


class TestPrices:
    def test_do_not_depend_on_the_clock_or_the_process(self) -> None:
        [apple] = [item for item in DEMO_INSTRUMENTS if item.symbol == "AAPL"]
        closes = random_walk(apple, weekdays(date(2024, 10, 30), date(2026, 10, 30)))
        assert closes[date(2024, 10, 30)] == Decimal("230.00")
        assert closes[date(2026, 10, 30)] == Decimal("284.08")

    def test_never_fall_to_nothing(self) -> None:
        doomed = DemoInstrument("DOOM", "Doomed", "None", first_close=0.02, drift=-50, volatility=0.1)
        closes = random_walk(doomed, weekdays(date(2026, 1, 1), date(2026, 12, 31)))
        assert min(closes.values()) == Decimal("0.01")

    def test_have_no_weekends(self) -> None:
        assert weekdays(date(2026, 10, 30), date(2026, 11, 2)) == [date(2026, 10, 30), date(2026, 11, 2)]
