"""What a soak found: a table, a verdict on what has to stay flat, and the plot's charts."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from textwrap import fill
from typing import Any

from bench.soak.plot import Chart

WIDTH = 110
MOST_LAG_MS = 50.0
POOLED = 100  # descriptors that stay: connections to Redis and PostgreSQL are kept for the next caller
MOST_GROWTH = 0.05  # of the memory, from the first quarter after the warm-up to the last

Sample = Mapping[str, Any]  # numbers by their names, and the list `lags_ms`


@dataclass(frozen=True, slots=True)
class Soaked:
    """Samples from outside (RSS, descriptors, open streams) and from inside (lag, tasks), and counts.

    Every sample has its second in `t`. `warm` is the second from which on all streams are open; `full` ends
    it. What is left is what the process has some seconds after the last stream ended.
    """

    outside: Sequence[Sample]
    inside: Sequence[Sample]
    warm: float
    full: float
    before: Sample
    left: Sample
    answers: Mapping[str, int]
    failures: Mapping[str, int]

    def steady(self, name: str, samples: Sequence[Sample]) -> list[Any]:
        return [one[name] for one in samples if self.warm <= one["t"] <= self.full]

    @property
    def growth(self) -> float:
        """By which share the memory of the last quarter is above that of the first."""
        rss = self.steady("rss", self.outside)
        quarter = max(1, len(rss) // 4)
        return float(statistics.mean(rss[-quarter:]) / statistics.mean(rss[:quarter]) - 1)

    @property
    def lag_p99(self) -> float:
        """The 99th percentile of all that was measured while all streams were open, in ms."""
        lags = sorted(chain.from_iterable(self.steady("lags_ms", self.inside)))
        return float(lags[int(0.99 * len(lags))])

    @property
    def faults(self) -> list[str]:
        """Return what is not as promised."""
        found = [f"{count} x {what}" for what, count in self.failures.items()]
        if self.lag_p99 > MOST_LAG_MS:
            found.append(f"event-loop lag p99 is {self.lag_p99:.0f} ms")
        if self.growth > MOST_GROWTH:
            found.append(f"memory grew by {100 * self.growth:.1f} %")
        for name, kept in (("fds", POOLED), ("tasks", 5)):
            if self.left[name] > self.before[name] + kept:
                found.append(f"{name}: {self.before[name]:.0f} before, {self.left[name]:.0f} left")
        return found

    def charts(self) -> list[Chart]:
        def line(name: str, samples: Sequence[Sample], scale: float = 1.0) -> list[tuple[float, float]]:
            return [(one["t"], one[name] * scale) for one in samples]

        return [
            Chart("Resident memory, MB", [("RSS", line("rss", self.outside, 1e-6))]),
            Chart("Open streams", [("streams", line("open", self.outside))]),
            Chart(
                "Event-loop lag over 5 s, ms",
                [("p50", line("lag_p50_ms", self.inside)), ("p99", line("lag_p99_ms", self.inside))],
            ),
            Chart(
                "Descriptors and tasks",
                [("descriptors", line("fds", self.outside)), ("tasks", line("tasks", self.inside))],
            ),
        ]

    def markdown(self, how: str, facts: Mapping[str, Any]) -> str:
        """Return the report; the plot lies beside it."""
        rss = [value / 1e6 for value in self.steady("rss", self.outside)]
        fds, tasks = self.steady("fds", self.outside), self.steady("tasks", self.inside)
        answers = ", ".join(f"{count} {name}" for name, count in sorted(self.answers.items()))
        rows = [
            ("answers read to their end", answers),
            ("**streams that failed**", f"**{sum(self.failures.values())}**"),
            ("memory before the first stream, MB", f"{self.before['rss'] / 1e6:.0f}"),
            ("memory with all streams open, MB", f"{min(rss):.0f} to {max(rss):.0f}"),
            ("**its growth, first to last quarter**", f"**{100 * self.growth:+.1f} %**"),
            ("memory after the last stream, MB", f"{self.left['rss'] / 1e6:.0f}"),
            ("event-loop lag p50, ms (median of spans)", self._median("lag_p50_ms")),
            ("**event-loop lag p99, ms (over all)**", f"**{self.lag_p99:.1f}**"),
            ("event-loop lag p99, ms (median of spans)", self._median("lag_p99_ms")),
            ("event-loop lag p99, ms (worst span)", f"{max(self.steady('lag_p99_ms', self.inside)):.1f}"),
            ("descriptors before, with all streams, after", triple("fds", self, fds)),
            ("tasks before, with all streams, after", triple("tasks", self, tasks)),
            ("CPU of the replica, cores", f"{self._cores():.2f}"),
            ("**not as promised**", f"**{'; '.join(self.faults) or 'nothing'}**"),
        ]
        table = "".join(f"| {name} | {value} |\n" for name, value in rows)
        where = f"{facts['date']}, {facts['machine']}, Python {facts['versions']['python']}."
        return (
            f"# Soak\n\n{fill(how, WIDTH)}\n\n| | |\n|---|---|\n{table}\n"
            f"![memory, streams, lag, descriptors and tasks over time](soak.svg)\n\n{where}\n"
        )

    def _median(self, name: str) -> str:
        return f"{statistics.median(self.steady(name, self.inside)):.1f}"

    def _cores(self) -> float:
        steady = [one for one in self.outside if self.warm <= one["t"] <= self.full]
        return float((steady[-1]["cpu"] - steady[0]["cpu"]) / max(1e-9, steady[-1]["t"] - steady[0]["t"]))


def triple(name: str, soaked: Soaked, steady: Sequence[float]) -> str:
    return f"{soaked.before[name]:.0f}, {statistics.median(steady):.0f}, {soaked.left[name]:.0f}"
