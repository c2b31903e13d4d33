"""What the rounds come to: medians in a table, and the lag as bars."""

import statistics
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from bench.bars import bars

WIDTH = 110
MEASURES = (
    ("lag p50 ms", "lag_p50_ms", "{:.1f}"),
    ("lag p99 ms", "lag_p99_ms", "{:.1f}"),
    ("own lag p99 ms", "own_p99_ms", "{:.1f}"),
    ("own lag max ms", "own_max_ms", "{:.1f}"),
    ("tokens that came, %", "in_time", "{:.1%}"),
    ("behind at the end, s", "behind_s", "{:.2f}"),
    ("CPU µs/token", "cpu_us_per_token", "{:.1f}"),
    ("cores", "cores", "{:.2f}"),
)
Found = Mapping[str, Sequence[Mapping[str, float]]]


def median(rounds: Sequence[Mapping[str, float]], name: str) -> float:
    return statistics.median(one[name] for one in rounds)


def markdown(found: Found, facts: Mapping[str, Any], how: str) -> str:
    """Return the report."""
    titles = " | ".join(title for title, *_ in MEASURES)
    rows = [
        f"| {name} | {' | '.join(form.format(median(rounds, of)) for _, of, form in MEASURES)} |"
        for name, rounds in found.items()
    ]
    table = "\n".join([f"| server, open streams | {titles} |", f"|---|{'---:|' * len(MEASURES)}", *rows])
    where = f"{facts['date']}, {facts['machine']}, Python {facts['versions']['python']}."
    parts = [
        "# Event-loop lag with slow streams",
        fill(how, WIDTH),
        table,
        "![lag](lag.svg)",
        fill(where, WIDTH),
    ]
    return "\n\n".join(parts)


def charts(found: Found) -> str:
    """Return the lag at the 99th percentile as an SVG."""
    return bars(
        "Event-loop lag p99, ms", {name: median(rounds, "lag_p99_ms") for name, rounds in found.items()}
    )
