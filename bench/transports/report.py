"""What the rounds come to, ratios, and the report."""

import statistics
from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

from bench.bars import bars
from bench.transports.targets import BARE, STOCK, TARGETS

CHARTED = "tokens/s, 50 streams"
WIDTH = 110
NOISE = 0.05
Results = Mapping[str, Sequence[Mapping[str, Sequence[float]]]]
Measures = Mapping[str, Mapping[str, float]]

# what it is, whether more is better, which values of the rounds it is of, and their percentile
MEASURES: tuple[tuple[str, bool, str, int], ...] = (
    ("CPU µs/token, 50 streams", False, "cpu_us_per_token_50", 50),
    ("CPU µs/token, 1 stream", False, "cpu_us_per_token_1", 50),
    ("tokens/s, 50 streams", True, "tokens_per_second_50", 50),
    ("tokens/s, 1 stream", True, "tokens_per_second_1", 50),
    ("first token p50 ms, alone", False, "first_ms_alone", 50),
    ("first token p99 ms, alone", False, "first_ms_alone", 99),
    ("first token p50 ms, right after another", False, "first_ms_after", 50),
    ("first token p99 ms, right after another", False, "first_ms_after", 99),
    ("first token p50 ms, among 50", False, "first_ms_among", 50),
    ("first token p99 ms, among 50", False, "first_ms_among", 99),
    ("kB/open stream", False, "kilobytes_per_stream", 50),
)


def measures(results: Results) -> dict[str, dict[str, float]]:
    """Return every measure of every target; results are lists of the values that the rounds found."""
    found: dict[str, dict[str, float]] = {}
    for target, rounds in results.items():
        found[target] = {}
        for name, _, of, share in MEASURES:
            if values := [value for one_round in rounds for value in one_round.get(of, ())]:
                found[target][name] = percentile(values, share)
    return found


def percentile(values: Sequence[float], share: int) -> float:
    if share == 50:
        return statistics.median(values)
    return sorted(values)[min(len(values) - 1, round(share / 100 * len(values)))]


def ratios(found: Measures, to: str) -> dict[str, dict[str, float]]:
    """Return how many times as good as target `to` each target is: above 1 is better, for every measure."""
    base = found[to]
    return {
        target: {
            name: values[name] / base[name] if more else base[name] / values[name]
            for name, more, *_ in MEASURES
            if values.get(name) and base.get(name)
        }
        for target, values in found.items()
    }


def markdown(found: Measures, facts: Mapping[str, Any], how: str) -> str:
    """Return the report: the medians, and the ratios to stock LangServe and to the floor."""
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    where = f"{facts['date']}, {facts['machine']}. {versions}."
    parts = [
        "# Transports: what a token costs",
        fill(how, WIDTH),
        fill(where, WIDTH),
        f"## Measured\n\n{table(found, '{:.1f}')}",
        "![tokens a second](transports.svg)",
    ]
    for base, title in ((STOCK, "stock LangServe"), (BARE, "the floor")):
        if base.name in found:
            compared = table(ratios(found, base.name), "{:.2f}")
            parts.append(f"## Times as good as {title} (above 1 is better)\n\n{compared}")
    if STOCK.name in found:
        parts.append(f"## Worse than stock LangServe by more than 5 %\n\n{worse(found)}")
    return "\n\n".join(parts)


def chart(found: Measures) -> str:
    """Return the tokens a second at 50 streams as an SVG."""
    names = [target.name for target in TARGETS if target.name in found]
    return bars("Tokens a second, 50 streams", {name: found[name][CHARTED] for name in names})


def table(values: Measures, form: str) -> str:
    """Return a table with a row for each measure and a column for each target."""
    names = [target.name for target in TARGETS if target.name in values]
    head = f"| | {' | '.join(names)} |\n|---|{'---:|' * len(names)}\n"
    rows = [
        f"| {name} | {' | '.join(cell(values[target], name, form) for target in names)} |\n"
        for name, *_ in MEASURES
        if any(name in values[target] for target in names)
    ]
    return head + "".join(rows)


def cell(values: Mapping[str, float], name: str, form: str) -> str:
    return form.format(values[name]) if name in values else ""


def worse(found: Measures) -> str:
    """Return the measures in which a target of ours is worse than stock LangServe by more than noise."""
    lines = [
        f"- {target}: {name}, {ratio:.2f} times as good\n"
        for target, values in ratios(found, STOCK.name).items()
        for name, ratio in values.items()
        if ratio < 1 - NOISE and target != BARE.name
    ]
    return "".join(lines) or "Nothing.\n"
