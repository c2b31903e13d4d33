"""What faults of a cluster cost, as a printed report and as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from tests.chaos.findings import Times, breaches, counts, document, faults_of
from tests.chaos.viewer import Story


@dataclass(frozen=True, slots=True)
class Findings:
    """`forgotten` are runs that the cluster lost with a primary; `places` are held in the limits by nobody."""

    runs: int
    statuses: dict[str, int]
    tokens: int
    lost: int
    repeated: int
    reordered: int
    forgotten: int
    faults: list[str]
    disturbances: dict[str, int]
    places: int
    restarted: int
    gaps: int
    refusals: dict[int, int]
    run_seconds: Times
    errors_logged: int
    seconds: float

    @classmethod
    def of(
        cls,
        stories: Sequence[Story],
        disturbances: Mapping[str, int],
        places: int,
        errors_logged: int,
        seconds: float,
    ) -> Self:
        lives = [story.live for story in stories]
        return cls(
            runs=len(stories),
            statuses=dict(Counter(live.status or "unknown" for live in lives)),
            tokens=sum(live.expected for live in lives if live.status == "completed"),
            lost=sum(live.lost for live in lives),
            repeated=sum(live.repeated for live in lives),
            reordered=sum(live.reordered for live in lives),
            forgotten=sum(story.unknown for story in stories),
            faults=faults_of(stories),
            disturbances=dict(disturbances),
            places=places,
            restarted=sum(live.restarts > 0 for live in lives),
            gaps=sum(live.gaps for live in lives),
            refusals=dict(sum((story.statuses for story in stories), Counter[int]())),
            run_seconds=Times.of([story.seconds for story in stories]),
            errors_logged=errors_logged,
            seconds=round(seconds, 1),
        )

    @property
    def right(self) -> bool:
        """True when nothing was lost, repeated, reordered, held for ever or otherwise against the protocol."""
        return not (self.lost or self.repeated or self.reordered or self.faults or self.places)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_markdown(self) -> str:
        statuses, refusals = counts(self.statuses, " "), counts(self.refusals, " x ")
        done = ", ".join(f"{count} x {what.replace('_', ' ')}" for what, count in self.disturbances.items())
        rows: list[tuple[str, Any]] = [
            ("runs", f"{self.runs} ({statuses})"),
            ("tokens of completed runs", self.tokens),
            *breaches(self.lost, self.repeated, self.reordered, self.faults),
            ("**places in the limits that nobody gives back**", f"**{self.places}**"),
            ("runs that the cluster forgot with a killed primary", self.forgotten),
            ("done to the cluster (of a resharding: slots)", done),
            ("runs that were begun again", self.restarted),
            ("gaps told to clients", self.gaps),
            ("refused", refusals or "none"),
            ("time of a run for its client", self.run_seconds),
            ("errors in the servers' logs", self.errors_logged),
            ("whole test", f"{self.seconds} s"),
        ]
        return document(rows, self.faults)
