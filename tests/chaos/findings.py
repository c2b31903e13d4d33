"""What a chaos run found out, as a printed report and as JSON."""

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from tests.chaos.recovery import Recovery
from tests.chaos.replicas import Replicas
from tests.chaos.viewer import Story

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds, over `count` cases."""

    count: int
    median: float
    p95: float
    most: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        if not seconds:
            return cls(0, 0.0, 0.0, 0.0)
        ordered = sorted(seconds)
        p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
        return cls(len(ordered), round(statistics.median(ordered), 2), round(p95, 2), round(ordered[-1], 2))

    def __str__(self) -> str:
        return f"median {self.median} s, p95 {self.p95} s, longest {self.most} s ({self.count} cases)"


def faults_of(stories: Sequence[Story]) -> list[str]:
    """Return what was against the protocol, with the run that it was in."""
    return [
        f"run {story.run_id}: {fault}" for story in stories for fault in (*story.live.faults, *story.faults)
    ]


def counts(of: Mapping[Any, int], times: str) -> str:
    return ", ".join(f"{count}{times}{what}" for what, count in sorted(of.items()))


def breaches(lost: int, repeated: int, reordered: int, faults: Sequence[str]) -> list[tuple[str, Any]]:
    """Return the rows that are to be zero."""
    return [
        ("**tokens lost**", f"**{lost}**"),
        ("**tokens repeated**", f"**{repeated}**"),
        ("**tokens reordered**", f"**{reordered}**"),
        ("**other breaches of the protocol**", f"**{len(faults)}**"),
    ]


def document(rows: Sequence[tuple[str, Any]], faults: Sequence[str]) -> str:
    """Return a table, and the first breaches below it."""
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    shown = "".join(f"- {fault}\n" for fault in faults[:SHOWN])
    return f"| | |\n|---|---|\n{table}\n" + (f"\nBreaches, the first {SHOWN}:\n\n{shown}" if shown else "")


@dataclass(frozen=True, slots=True)
class Findings:
    runs: int
    statuses: dict[str, int]
    problems: dict[str, int]
    tokens: int
    lost: int
    repeated: int
    reordered: int
    faults: list[str]
    kills: int
    pauses: int
    restarts: int
    unprovoked: list[str]
    gaps: int
    connections: int
    left: int
    cut: int
    silent: int
    refused: int
    refusals: dict[int, int]
    to_next_attempt: Times
    to_client: Times
    run_seconds: Times
    seconds: float
    errors_logged: int

    @classmethod
    def of(cls, stories: Sequence[Story], replicas: Replicas, recovery: Recovery, seconds: float) -> Self:
        lives = [story.live for story in stories]
        return cls(
            runs=len(stories),
            statuses=dict(Counter(live.status or "no end" for live in lives)),
            problems=dict(Counter(live.problem for live in lives if live.problem)),
            tokens=sum(live.expected for live in lives if live.status == "completed"),
            lost=sum(live.lost for live in lives),
            repeated=sum(live.repeated for live in lives),
            reordered=sum(live.reordered for live in lives),
            faults=faults_of(stories),
            kills=replicas.counts["kill"],
            pauses=replicas.counts["pause"],
            restarts=len(recovery.to_next_attempt),
            unprovoked=recovery.unprovoked,
            gaps=sum(live.gaps for live in lives),
            connections=sum(story.connections for story in stories),
            left=sum(story.left for story in stories),
            cut=sum(story.cut for story in stories),
            silent=sum(story.silent for story in stories),
            refused=sum(story.refused for story in stories),
            refusals=dict(sum((story.statuses for story in stories), Counter[int]())),
            to_next_attempt=Times.of(recovery.to_next_attempt),
            to_client=Times.of(recovery.to_client),
            run_seconds=Times.of([story.seconds for story in stories]),
            seconds=round(seconds, 1),
            errors_logged=len(replicas.errors_logged()),
        )

    @property
    def right(self) -> bool:
        """True when nothing was lost, repeated, reordered or otherwise against the protocol."""
        return not (self.lost or self.repeated or self.reordered or self.faults)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_markdown(self) -> str:
        statuses, refusals = counts(self.statuses, " "), counts(self.refusals, " x ")
        problems = "; ".join(f"{count} x {problem}" for problem, count in self.problems.items())
        rows: list[tuple[str, Any]] = [
            ("runs", f"{self.runs} ({statuses})"),
            ("why runs failed", problems or "none did"),
            ("tokens of completed runs", self.tokens),
            *breaches(self.lost, self.repeated, self.reordered, self.faults),
            ("processes killed (`kill -9`)", self.kills),
            ("processes paused for longer than the lease", self.pauses),
            (
                "next attempts made",
                f"{self.restarts}, and {len(self.unprovoked)} without a fault",
            ),
            ("gaps told to clients", self.gaps),
            (
                "connections",
                f"{self.connections}: {self.left} left by the client, {self.cut} cut, "
                f"{self.silent} given up in silence, {self.refused} refused ({refusals or 'no status'})",
            ),
            ("from the fault to the next attempt's first event", self.to_next_attempt),
            ("from the fault to what the client sees of it", self.to_client),
            ("time of a run for its client", self.run_seconds),
            ("errors in the servers' logs", self.errors_logged),
            ("whole test", f"{self.seconds} s"),
        ]
        return document(rows, self.faults)
