"""What was measured and what follows from it, as a document."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from bench.scale.capacity import Carried
from bench.scale.model import CONNECTIONS, FULL, Costs, Load, Needs, limits

WIDTH = 110
SIZES = (1_000, 10_000, 50_000, 1_000_000)
MEASURED = (
    ("a token: CPU of the process", "process_us_a_token", "µs"),
    ("a token: CPU of Redis", "redis_us_a_token", "µs"),
    ("a token: bytes in Redis until its log is gone", "redis_bytes_a_token", "bytes"),
    ("a token: traffic of Redis, in and out", "redis_traffic_a_token", "bytes"),
    ("a token: to the client, without TLS", "client_bytes_a_token", "bytes"),
    ("a run of one token in a new thread: CPU of the process", "process_us_a_run", "µs"),
    ("such a run: CPU of Redis", "redis_us_a_run", "µs"),
    ("such a run: bytes in Redis until its log is gone", "redis_bytes_a_run", "bytes"),
    ("such a run: CPU of PostgreSQL", "database_us_a_run", "µs"),
    ("such a run: transactions", "database_transactions_a_run", ""),
    ("such a run: write-ahead log", "database_log_bytes_a_run", "bytes"),
    ("such a run: bytes that stay in the database", "database_bytes_a_run", "bytes"),
    ("an open stream: memory of the process", "process_bytes_a_stream", "bytes"),
    ("a silent open stream: commands of Redis a second", "redis_commands_a_stream_second", ""),
)


def markdown(costs: Costs, carried: Sequence[Carried], facts: Mapping[str, Any], how: str, load: Load) -> str:
    """Return the report."""
    where = f"{facts['date']}, {facts['machine']}, Python {facts['versions']['python']}."
    parts = [
        "# Scale: what two cores carry, and what more streams need",
        fill(how, WIDTH),
        fill(where, WIDTH),
        "## What two cores carry",
        table(
            (
                "processes",
                "tokens a second of a stream",
                "open streams",
                "tokens that came",
                "lag p99 ms",
                "cores",
            ),
            [
                (
                    str(one.processes),
                    f"{one.pace:g}",
                    str(one.streams),
                    f"{one.in_time:.1%}",
                    f"{one.lag_ms:.1f}",
                    f"{one.cores:.2f}",
                )
                for one in carried
            ],
        ),
        "## What one costs",
        table(
            ("of", "measured"),
            [(what, f"{getattr(costs, name):,.4g} {unit}".strip()) for what, name, unit in MEASURED],
        ),
        "## On paper",
        fill(premises(load), WIDTH),
        table(("open streams", *(f"{size:,}" for size in SIZES)), list(needs_of(costs, load))),
        "## What breaks first",
        table(
            ("what", "at so many streams", "then"),
            [(limit.what, f"{limit.streams:,}", limit.remedy) for limit in limits(costs)],
        ),
    ]
    return "\n\n".join(parts)


def premises(load: Load) -> str:
    return (
        f"Streams of {load.pace:g} tokens a second, in answers of {load.tokens} tokens one after the other, "
        f"each in a thread; a log is kept for {load.log_seconds:g} s. No more than {FULL:.0%} of a core is "
        "planned with. With S streams, r tokens a second, L tokens an answer: tokens a second are S·r, runs "
        "a second S·r/L; CPU is tokens times what a token costs, and runs times what a run costs; Redis' "
        "memory is runs a second, times the seconds a log is kept, times a run and its L tokens, and half "
        f"of that for each that goes on; connections are {CONNECTIONS} a process. bench/scale/model.py has "
        "each formula as a method."
    )


def needs_of(costs: Costs, load: Load) -> list[tuple[str, ...]]:
    """Return a row for each need, with a column for each size."""
    needs = [Needs(costs, Load(size, load.pace, load.tokens, load.log_seconds)) for size in SIZES]
    return [
        ("tokens a second", *(f"{one.load.tokens_a_second:,.0f}" for one in needs)),
        ("runs a second", *(f"{one.load.runs_a_second:,.0f}" for one in needs)),
        ("processes", *(f"{one.processes():,}" for one in needs)),
        ("memory of a process's streams", *(size_of(one.process_memory()) for one in needs)),
        ("cores of Redis", *(f"{one.redis_cores():.2g}" for one in needs)),
        ("memory of Redis", *(size_of(one.redis_memory()) for one in needs)),
        ("primaries of Redis", *(f"{one.redis_primaries():,}" for one in needs)),
        ("traffic of Redis a second", *(size_of(one.redis_traffic()) for one in needs)),
        ("cores of PostgreSQL", *(f"{one.database_cores():.2g}" for one in needs)),
        ("transactions a second", *(f"{one.database_transactions():,.0f}" for one in needs)),
        ("write-ahead log a second", *(size_of(one.database_log()) for one in needs)),
        ("the database grows a day by", *(size_of(one.database_growth()) for one in needs)),
        ("connections without a pooler", *(f"{one.connections():,}" for one in needs)),
        ("traffic to clients a second", *(size_of(one.client_traffic()) for one in needs)),
    ]


def size_of(number: float) -> str:
    """Return bytes in the unit that a person would say them in."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])
