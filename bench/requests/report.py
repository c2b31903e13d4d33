"""What the rounds come to: medians, and how many times as good as stock LangServe they are."""

import statistics
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from bench.bars import bars
from bench.requests.targets import TARGETS

WIDTH = 110
Measures = Mapping[str, Mapping[str, float]]

# what it is called, under which name the rounds have it, whether more is better
MEASURES: tuple[tuple[str, str, bool], ...] = (
    ("requests/s, 1 client", "requests_per_second_1", True),
    ("requests/s, 16 clients", "requests_per_second_16", True),
    ("CPU µs/request, 1 client", "cpu_us_1", False),
    ("CPU µs/request, 16 clients", "cpu_us_16", False),
    ("Redis commands/request", "redis_commands", False),
)


def measures(found: Mapping[str, Sequence[Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """Return the median of every measure of every target."""
    return {
        target: {
            name: statistics.median(values)
            for _, name, _ in MEASURES
            if (values := [row[name] for row in rows if name in row])
        }
        for target, rows in found.items()
    }


def ratios(medians: Measures) -> dict[str, dict[str, float]]:
    """Return how many times as good as its stock each target is: above 1 is better."""
    found: dict[str, dict[str, float]] = {}
    for target in TARGETS:
        values, base = medians.get(target.name, {}), medians.get(target.stock, {})
        found[target.name] = {
            name: values[name] / base[name] if more else base[name] / values[name]
            for _, name, more in MEASURES
            if name in values and name in base
        }
    return found


def markdown(medians: Measures, facts: Mapping[str, Any], how: str) -> str:
    """Return the report."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    parts = [
        "# Requests: what an answer in one piece costs",
        fill(how, WIDTH),
        fill(f"{facts['date']}, {facts['machine']}. {versions}.", WIDTH),
        f"## Measured\n\n{table(medians, '{:.1f}')}",
        f"## Times as good as stock LangServe (above 1 is better)\n\n{table(ratios(medians), '{:.2f}')}",
        "![times as good](requests.svg)\n",
    ]
    return "\n\n".join(parts)


def chart(compared: Measures) -> str:
    """Return how many times as good as stock the CPU of a request is, among 16 clients, as an SVG."""
    title = "CPU of a request, 16 clients: times as good as stock LangServe's"
    return bars(title, {name: row["cpu_us_16"] for name, row in compared.items() if "cpu_us_16" in row})


def table(values: Measures, form: str) -> str:
    """Return a table with a row for each target and a column for each measure."""
    shown = [column for column in MEASURES if any(column[1] in row for row in values.values())]
    head = f"| | {' | '.join(title for title, *_ in shown)} |\n|---|{'---:|' * len(shown)}\n"
    rows = []
    for target, row in values.items():
        cells = (form.format(row[name]) if name in row else "" for _, name, _ in shown)
        rows.append(f"| {target} | {' | '.join(cells)} |\n")
    return head + "".join(rows)
