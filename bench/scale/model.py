"""What a deployment of a size needs, reckoned from what a token, a run and a stream were measured to cost.

Each formula is a method. Units are in the names: `us` are µs of a core, `bytes` are bytes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil

DAY = 86_400
FULL = 0.6  # of a core that may be planned with: the rest is for bursts, takeovers and other people
CONNECTIONS = 30  # of a process: a pool of 10, as many above it under load, and 10 for checkpoints
MOST_CONNECTIONS = 500  # of a PostgreSQL without a pooler before it
DATABASE_CORES = 8  # of a PostgreSQL that is still an ordinary one
REDIS_MEMORY = 32e9  # bytes of a Redis that still fails over in seconds


@dataclass(frozen=True, slots=True)
class Costs:
    """What was measured. A run is one of a token in a new thread; its other tokens come on top."""

    process_us_a_token: float
    process_us_a_run: float
    process_bytes_a_stream: float
    redis_us_a_token: float
    redis_us_a_run: float
    redis_bytes_a_token: float  # that stay in the log of its run
    redis_bytes_a_run: float
    redis_traffic_a_token: float  # bytes in and out
    redis_commands_a_stream_second: float  # of an open stream in which nothing is said; a script is one
    database_us_a_run: float
    database_transactions_a_run: float
    database_log_bytes_a_run: float  # of the write-ahead log
    database_bytes_a_run: float  # that stay
    client_bytes_a_token: float


@dataclass(frozen=True, slots=True)
class Load:
    """So many open streams of so many tokens a second, in answers of so many tokens, one after the other.

    Each run's log stays readable for `log_seconds` after its end.
    """

    streams: int
    pace: float = 10.0
    tokens: int = 300
    log_seconds: float = 3600.0

    @property
    def tokens_a_second(self) -> float:
        return self.streams * self.pace

    @property
    def runs_a_second(self) -> float:
        return self.tokens_a_second / self.tokens


@dataclass(frozen=True, slots=True)
class Needs:
    """What a load needs, at these costs."""

    costs: Costs
    load: Load

    def processes(self) -> int:
        """Cores of CPU work over what of a core may be planned with: a process is one core's worth."""
        tokens = self.load.tokens_a_second * self.costs.process_us_a_token
        runs = self.load.runs_a_second * self.costs.process_us_a_run
        return max(1, ceil((tokens + runs) / 1e6 / FULL))

    def process_memory(self) -> float:
        """Bytes that the open streams of one process take, beside the process itself."""
        return self.load.streams / self.processes() * self.costs.process_bytes_a_stream

    def redis_cores(self) -> float:
        """Cores that commands take; one Redis has one for them."""
        tokens = self.load.tokens_a_second * self.costs.redis_us_a_token
        return (tokens + self.load.runs_a_second * self.costs.redis_us_a_run) / 1e6

    def redis_memory(self) -> float:
        """Bytes of the logs: half of each that goes on, and the whole of each for a while after."""
        whole = self.costs.redis_bytes_a_run + self.load.tokens * self.costs.redis_bytes_a_token
        ended = self.load.runs_a_second * self.load.log_seconds * whole
        return ended + self.load.streams * (self.costs.redis_bytes_a_run + whole) / 2

    def redis_primaries(self) -> int:
        """Redis servers, by the larger of CPU and memory; more than one are a cluster."""
        return max(1, ceil(self.redis_cores() / FULL), ceil(self.redis_memory() / REDIS_MEMORY))

    def redis_traffic(self) -> float:
        """Bytes a second."""
        return self.load.tokens_a_second * self.costs.redis_traffic_a_token

    def database_cores(self) -> float:
        return self.load.runs_a_second * self.costs.database_us_a_run / 1e6

    def database_transactions(self) -> float:
        """Transactions a second."""
        return self.load.runs_a_second * self.costs.database_transactions_a_run

    def database_log(self) -> float:
        """Bytes a second of the write-ahead log."""
        return self.load.runs_a_second * self.costs.database_log_bytes_a_run

    def database_growth(self) -> float:
        """Bytes a day that messages and the books grow by, if the load is the same all day."""
        return self.load.runs_a_second * self.costs.database_bytes_a_run * DAY

    def connections(self) -> int:
        return self.processes() * CONNECTIONS

    def client_traffic(self) -> float:
        """Bytes a second to clients, without TLS."""
        return self.load.tokens_a_second * self.costs.client_bytes_a_token


@dataclass(frozen=True, slots=True)
class Limit:
    """Where something would break: at so many streams, and what is done about it."""

    what: str
    streams: int
    remedy: str


Breaks = Callable[[Needs], bool]


def limits(costs: Costs) -> list[Limit]:
    """Return what breaks, the first first, as streams of the usual pace become more."""
    found = [Limit(what, least(costs, breaks), remedy) for what, breaks, remedy in breaking()]
    return sorted(found, key=lambda limit: limit.streams)


def breaking() -> Iterator[tuple[str, Breaks, str]]:
    yield "a process's core", lambda needs: needs.processes() > 1, "another replica: the autoscaler's work"
    yield (
        "PostgreSQL's connections",
        lambda needs: needs.connections() > MOST_CONNECTIONS,
        "PgBouncer, pooling by transaction",
    )
    yield "Redis' core", lambda needs: needs.redis_cores() > FULL, "a cluster"
    yield (
        "Redis' memory",
        lambda needs: needs.redis_memory() > REDIS_MEMORY,
        "a shorter GATEHOUSE_LOG_AGE, or a cluster",
    )
    yield (
        "PostgreSQL's cores",
        lambda needs: needs.database_cores() > DATABASE_CORES * FULL,
        "a larger server; then a deployment for each group of tenants",
    )


def least(costs: Costs, breaks: Breaks) -> int:
    """Return the fewest streams, in steps of a hundredth, for which this is so."""
    below, above = 1, 2
    while not breaks(Needs(costs, Load(above))):
        below, above = above, 2 * above
    while above - below > max(1, below // 100):
        middle = (below + above) // 2
        below, above = (below, middle) if breaks(Needs(costs, Load(middle))) else (middle, above)
    return above
