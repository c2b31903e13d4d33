"""What the portfolio tools ask first. Each answer is usable, or a ToolException that says what to do."""

from collections.abc import Sequence
from difflib import get_close_matches

from langchain_core.tools import ToolException

from gatehouse import Caller
from tools.portfolio.period import Period, first_day
from tools.portfolio.store import Holding, Instrument, Portfolio, PortfolioStore, PriceTable

MOST_LISTED = 40  # symbols named in an error: a model has to read them


async def portfolio_of(store: PortfolioStore, caller: Caller) -> Portfolio:
    """Return the caller's portfolio: the one that the credential names, else the only one."""
    portfolios = await store.portfolios(caller)
    if not portfolios:
        raise ToolException(
            "This user has no portfolio here. Say so; nothing else can be looked up for them."
        )
    if len(portfolios) > 1:
        names = ", ".join(portfolio.portfolio_id for portfolio in portfolios)
        raise ToolException(
            f"This user has several portfolios ({names}). Ask them to sign in with a credential that names "
            "one as portfolio_id."
        )
    return portfolios[0]


async def holdings_of(store: PortfolioStore, caller: Caller, portfolio: Portfolio) -> tuple[Holding, ...]:
    """Return what is held in the caller's portfolio: at least one holding."""
    holdings = await store.holdings(caller, portfolio.portfolio_id)
    if not holdings:
        raise ToolException(f"The portfolio {portfolio.name} holds nothing. Say so.")
    return holdings


async def instruments_named(store: PortfolioStore, symbols: Sequence[str]) -> tuple[Instrument, ...]:
    """Return the instruments of `symbols`, in their order, without repeats; case and spaces don't matter."""
    wanted = tuple(dict.fromkeys(symbol.strip().upper() for symbol in symbols))
    found = {instrument.symbol: instrument for instrument in await store.instruments(wanted)}
    unknown = [symbol for symbol in wanted if symbol not in found]
    if unknown:
        raise ToolException(_suggestion(unknown, await store.instruments()))
    return tuple(found[symbol] for symbol in wanted)


async def prices_over(
    store: PortfolioStore, instruments: Sequence[Instrument], period: Period, *, points: int
) -> PriceTable:
    """Return the closes over the period that ends on the last day with prices: at least two days."""
    symbols = [instrument.symbol for instrument in instruments]
    last = await store.latest_day()
    table = await store.closes(symbols, first_day(period, last), last, points=points) if last else None
    if table is None or len(table.days) <= 1:
        raise ToolException(
            f"There are too few prices of {', '.join(symbols)} in the last {period}. Ask for a longer period."
        )
    return table


def _suggestion(unknown: Sequence[str], known: Sequence[Instrument]) -> str:
    """Return a sentence that names the known instruments whose symbol or name is close to the unknown."""
    named = {instrument.symbol: instrument for instrument in known}
    named |= {instrument.name.upper(): instrument for instrument in known}
    close = {named[match]: None for symbol in unknown for match in get_close_matches(symbol, named, n=3)}
    start = f"There is no instrument {', '.join(unknown)}."
    if close:
        return start + " Did you mean " + ", ".join(f"{i.symbol} ({i.name})" for i in close) + "?"
    return start + " Known symbols: " + ", ".join(i.symbol for i in known[:MOST_LISTED]) + "."
