from dataclasses import FrozenInstanceError
from datetime import date, timedelta
from decimal import Decimal

import pytest
from langchain_core.tools import ToolException
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.identity.caller import Caller
from tools.portfolio.questions import portfolio_of
from tools.portfolio.store import Instrument, PortfolioStore, price_sources, spread
from tools.portfolio.tables import accounts, holdings, prices

ALICE = Caller("acme", "alice")
BOB = Caller("beta", "bob")


async def open_account(engine: AsyncEngine, tenant: str, user: str, portfolio: str, symbol: str) -> None:
    """Give a user a further portfolio that holds one share."""
    key = {"tenant_id": tenant, "user_id": user, "portfolio_id": portfolio}
    async with engine.begin() as connection:
        await connection.execute(
            accounts.insert(),
            {**key, "name": f"{tenant} {user}", "currency": "EUR", "opened_on": date(2026, 1, 2)},
        )
        await connection.execute(
            holdings.insert(), {**key, "symbol": symbol, "quantity": Decimal(1), "cost_basis": Decimal(5)}
        )


class TestPortfolios:
    async def test_are_those_of_the_caller(self, store: PortfolioStore) -> None:
        [portfolio] = await store.portfolios(ALICE)
        assert portfolio.portfolio_id == "acme-alice-1"
        assert (portfolio.tenant_id, portfolio.user_id) == ("acme", "alice")
        assert (portfolio.currency, portfolio.opened_on) == ("USD", date(2024, 11, 4))

    async def test_are_frozen(self, store: PortfolioStore) -> None:
        [portfolio] = await store.portfolios(ALICE)
        with pytest.raises(FrozenInstanceError):
            portfolio.user_id = "bob"  # type: ignore[misc]

    @pytest.mark.parametrize("caller", [Caller("beta", "alice"), Caller("acme", "bob"), Caller("", "")])
    async def test_of_a_namesake_in_another_tenant_are_not_found(
        self, store: PortfolioStore, caller: Caller
    ) -> None:
        assert await store.portfolios(caller) == ()

    async def test_are_only_the_one_that_the_credential_names(
        self, store: PortfolioStore, engine: AsyncEngine
    ) -> None:
        await open_account(engine, "acme", "alice", "acme-alice-2", "KO")
        assert len(await store.portfolios(ALICE)) == 2
        named = Caller("acme", "alice", claims={"portfolio_id": "acme-alice-2"})
        assert [p.portfolio_id for p in await store.portfolios(named)] == ["acme-alice-2"]

    async def test_of_others_are_not_found_by_naming_them(self, store: PortfolioStore) -> None:
        assert await store.portfolios(Caller("beta", "bob", claims={"portfolio_id": "acme-alice-1"})) == ()


class TestPortfolioOf:
    async def test_is_the_only_one(self, store: PortfolioStore) -> None:
        assert (await portfolio_of(store, BOB)).portfolio_id == "beta-bob-1"

    async def test_none_is_refused(self, store: PortfolioStore) -> None:
        with pytest.raises(ToolException, match="has no portfolio"):
            await portfolio_of(store, Caller("beta", "bob", claims={"portfolio_id": "acme-alice-1"}))

    async def test_several_are_refused_by_name(self, store: PortfolioStore, engine: AsyncEngine) -> None:
        await open_account(engine, "acme", "alice", "acme-alice-2", "KO")
        with pytest.raises(ToolException, match=r"several portfolios \(acme-alice-1, acme-alice-2\)"):
            await portfolio_of(store, ALICE)


class TestHoldings:
    async def test_have_the_latest_price(self, store: PortfolioStore, engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(
                prices.insert(), {"symbol": "AAPL", "day": date(2026, 11, 2), "close": Decimal("123.4567")}
            )
        apple, bond, *_ = await store.holdings(ALICE, "acme-alice-1")
        assert (apple.price, apple.priced_on) == (Decimal("123.4567"), date(2026, 11, 2))
        assert bond.priced_on == date(2026, 10, 30)
        assert apple.market_value == Decimal("123.4567") * 40
        assert apple.unrealised_gain == Decimal("123.4567") * 40 - apple.cost_basis

    async def test_without_a_price_have_no_value(self, store: PortfolioStore, engine: AsyncEngine) -> None:
        async with engine.begin() as connection:
            await connection.execute(delete(prices))
        apple, *rest = await store.holdings(ALICE, "acme-alice-1")
        assert len(rest) == 4
        assert (apple.price, apple.market_value, apple.unrealised_gain) == (None, None, None)

    async def test_of_others_are_not_found(self, store: PortfolioStore) -> None:
        assert await store.holdings(BOB, "acme-alice-1") == ()

    async def test_outside_the_portfolio_of_the_credential_are_not_found(
        self, store: PortfolioStore, engine: AsyncEngine
    ) -> None:
        await open_account(engine, "acme", "alice", "acme-alice-2", "KO")
        named = Caller("acme", "alice", claims={"portfolio_id": "acme-alice-2"})
        assert await store.holdings(named, "acme-alice-1") == ()
        assert [h.instrument.symbol for h in await store.holdings(named, "acme-alice-2")] == ["KO"]

    async def test_of_portfolios_with_the_same_id_stay_apart(
        self, store: PortfolioStore, engine: AsyncEngine
    ) -> None:
        await open_account(engine, "beta", "alice", "acme-alice-1", "KO")
        await open_account(engine, "acme", "mallory", "acme-alice-1", "KO")
        symbols = [h.instrument.symbol for h in await store.holdings(ALICE, "acme-alice-1")]
        assert symbols == ["AAPL", "BND", "MSFT", "NVDA", "VTI"]


class TestInstruments:
    async def test_all(self, store: PortfolioStore) -> None:
        assert len(await store.instruments()) == 20

    async def test_by_symbol(self, store: PortfolioStore) -> None:
        found = await store.instruments(["MSFT", "AAPL", "NONE"])
        assert [instrument.name for instrument in found] == ["Apple", "Microsoft"]

    def test_name_each_price_source_once(self) -> None:
        a, b = (Instrument("A", "A", "S", source) for source in ("exchange", "demo"))
        assert price_sources([a, b, a]) == "demo, exchange"


class TestCloses:
    async def test_are_aligned_by_day(self, store: PortfolioStore) -> None:
        first, last = date(2026, 10, 26), date(2026, 10, 30)
        table = await store.closes(["MSFT", "AAPL"], first, last, points=10)
        assert table.days == tuple(first + timedelta(days=n) for n in range(5))
        assert {symbol: len(series) for symbol, series in table.closes.items()} == {"MSFT": 5, "AAPL": 5}
        assert all(isinstance(close, Decimal) for close in table.closes["AAPL"])

    async def test_skip_days_on_which_one_is_missing(
        self, store: PortfolioStore, engine: AsyncEngine
    ) -> None:
        gap = date(2026, 10, 28)
        async with engine.begin() as connection:
            await connection.execute(delete(prices).where(prices.c.symbol == "AAPL", prices.c.day == gap))
        table = await store.closes(["MSFT", "AAPL"], date(2026, 10, 26), date(2026, 10, 30), points=10)
        assert gap not in table.days
        assert len(table.closes["MSFT"]) == len(table.days) == 4

    async def test_of_a_repeated_symbol_are_there_once(self, store: PortfolioStore) -> None:
        day = date(2026, 10, 30)
        table = await store.closes(["MSFT", "MSFT"], day, day, points=10)
        assert [len(series) for series in table.closes.values()] == [1]

    async def test_of_unknown_symbols_are_none(self, store: PortfolioStore) -> None:
        table = await store.closes(["NONE"], date(2026, 1, 1), date(2026, 10, 30), points=10)
        assert (table.days, table.closes) == ((), {"NONE": ()})


class TestLatestDay:
    async def test_is_that_of_the_last_price(self, store: PortfolioStore) -> None:
        assert await store.latest_day() == date(2026, 10, 30)

    async def test_is_none_without_prices(self, empty_engine: AsyncEngine) -> None:
        assert await PortfolioStore(empty_engine).latest_day() is None


class TestSpread:
    def test_keeps_a_short_list(self) -> None:
        days = [date(2026, 1, n) for n in (1, 2, 3)]
        assert spread(days, 3) == tuple(days)

    @pytest.mark.parametrize("count", [4, 59, 61, 523])
    def test_is_even_and_keeps_both_ends(self, count: int) -> None:
        days = [date(2026, 1, 1) + timedelta(days=n) for n in range(count)]
        kept = spread(days, 3)
        assert (len(kept), kept[0], kept[-1]) == (3, days[0], days[-1])
        assert abs((kept[1] - kept[0]) - (kept[2] - kept[1])) <= timedelta(days=1)

    def test_repeats_no_day(self) -> None:
        days = [date(2026, 1, 1) + timedelta(days=n) for n in range(61)]
        assert len(set(spread(days, 60))) == 60
