"""The demo's customers, what they hold, and what its prices are made from.

The companies are real, the prices are not: they are drawn from a random walk that only begins near a
price of the autumn of 2024. Every instrument says so in its `price_source`.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

FIRST_DAY = date(2024, 10, 30)
LAST_DAY = date(2026, 10, 30)
PRICE_SOURCE = "synthetic demo prices"


@dataclass(frozen=True, slots=True)
class DemoInstrument:
    """An instrument whose prices begin at `first_close` and move with a yearly drift and volatility."""

    symbol: str
    name: str
    sector: str
    first_close: float
    drift: float
    volatility: float


@dataclass(frozen=True, slots=True)
class DemoCustomer:
    """A customer whom the demo can act for, and what they bought on the day the account was opened."""

    tenant_id: str
    user_id: str
    name: str
    portfolio_id: str
    opened_on: date
    bought: tuple[tuple[str, str], ...]  # symbol and quantity
    cash: Decimal = Decimal(10_000)  # in USD, to send and to order for


DEMO_INSTRUMENTS = (
    DemoInstrument("AAPL", "Apple", "Technology", 230, 0.12, 0.26),
    DemoInstrument("AMZN", "Amazon", "Consumer Discretionary", 190, 0.14, 0.30),
    DemoInstrument("BND", "Vanguard Total Bond Market ETF", "Bonds", 73, 0.02, 0.06),
    DemoInstrument("CAT", "Caterpillar", "Industrials", 380, 0.09, 0.27),
    DemoInstrument("COST", "Costco", "Consumer Staples", 890, 0.11, 0.22),
    DemoInstrument("DIS", "Walt Disney", "Communication Services", 96, 0.05, 0.28),
    DemoInstrument("GLD", "SPDR Gold Shares", "Commodities", 257, 0.10, 0.15),
    DemoInstrument("GOOGL", "Alphabet", "Communication Services", 172, 0.15, 0.29),
    DemoInstrument("JNJ", "Johnson & Johnson", "Health Care", 160, 0.03, 0.16),
    DemoInstrument("JPM", "JPMorgan Chase", "Financials", 224, 0.12, 0.23),
    DemoInstrument("KO", "Coca-Cola", "Consumer Staples", 66, 0.04, 0.15),
    DemoInstrument("MSFT", "Microsoft", "Technology", 432, 0.13, 0.24),
    DemoInstrument("NEE", "NextEra Energy", "Utilities", 80, 0.04, 0.26),
    DemoInstrument("NVDA", "NVIDIA", "Technology", 140, 0.25, 0.45),
    DemoInstrument("PFE", "Pfizer", "Health Care", 28, -0.06, 0.24),
    DemoInstrument("PG", "Procter & Gamble", "Consumer Staples", 168, 0.03, 0.16),
    DemoInstrument("TSLA", "Tesla", "Consumer Discretionary", 258, 0.10, 0.55),
    DemoInstrument("V", "Visa", "Financials", 290, 0.10, 0.20),
    DemoInstrument("VTI", "Vanguard Total Stock Market ETF", "Broad Market", 287, 0.09, 0.16),
    DemoInstrument("XOM", "Exxon Mobil", "Energy", 117, 0.03, 0.24),
)

DEMO_CUSTOMERS = (
    DemoCustomer(
        "acme", "alice", "Alice Martin", "acme-alice-1", date(2024, 11, 4),
        (("AAPL", "40"), ("MSFT", "25"), ("NVDA", "60"), ("VTI", "50"), ("BND", "120")),
    ),
    DemoCustomer(
        "acme", "carol", "Carol Jensen", "acme-carol-1", date(2025, 2, 3),
        (("JNJ", "80"), ("KO", "200"), ("PG", "60"), ("GLD", "30")),
    ),
    DemoCustomer(
        "acme", "dave", "Dave Okafor", "acme-dave-1", date(2025, 6, 16),
        (("TSLA", "35"), ("AMZN", "45"), ("GOOGL", "50"), ("DIS", "90"), ("NEE", "75"), ("VTI", "12.5")),
    ),
    DemoCustomer(
        "beta", "bob", "Bob Rossi", "beta-bob-1", date(2024, 12, 2),
        (("JPM", "55"), ("V", "40"), ("XOM", "110"), ("CAT", "18"), ("BND", "300")),
    ),
    DemoCustomer(
        "beta", "erin", "Erin Tanaka", "beta-erin-1", date(2025, 9, 8),
        (("COST", "12"), ("PFE", "400"), ("AAPL", "15"), ("GLD", "22.75")),
    ),
)  # fmt: skip
