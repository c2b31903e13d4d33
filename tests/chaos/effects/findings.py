"""What became of the payments, as a printed report and as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from tests.chaos.effects.cases import Case

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a run stood still at its point, how it ended, what its viewers were told, and its thread answers."""

    case: Case
    held: bool
    status: str
    unknown: bool
    restarted: bool
    thread: int


@dataclass(frozen=True, slots=True)
class Findings:
    """Counts of runs; `breaches` says in words what was not as promised."""

    runs: int
    statuses: dict[str, int]
    doubled: int
    lost: int
    unknown: int
    restarted: int
    elsewhere: int
    repeated_requests: int
    by_case: dict[str, dict[str, int]]
    breaches: list[str]

    @classmethod
    def of(
        cls,
        outcomes: Sequence[Outcome],
        at_bank: Mapping[str, int],
        own: Mapping[str, int],
        requests: Mapping[str, int],
    ) -> Self:
        made = {
            outcome.case.id: at_bank.get(outcome.case.id, 0) + own.get(outcome.case.id, 0)
            for outcome in outcomes
        }
        table: dict[str, Counter[str]] = {}
        for outcome in outcomes:
            case = outcome.case
            row = table.setdefault(f"{case.fault} | {case.mode} | {case.point}", Counter())
            row += Counter(runs=1, paid=made[case.id], unknown=int(outcome.unknown))
        return cls(
            runs=len(outcomes),
            statuses=dict(Counter(outcome.status for outcome in outcomes)),
            doubled=sum(count > 1 for count in made.values()),
            lost=sum(not made[one.case.id] and not one.unknown for one in outcomes),
            unknown=sum(outcome.unknown for outcome in outcomes),
            restarted=sum(outcome.restarted for outcome in outcomes),
            elsewhere=sum(not outcome.held for outcome in outcomes),
            repeated_requests=sum(count > 1 for count in requests.values()),
            by_case={name: dict(row) for name, row in sorted(table.items())},
            breaches=[fault for outcome in outcomes for fault in faults_of(outcome, made[outcome.case.id])],
        )

    @property
    def right(self) -> bool:
        return not (self.doubled or self.lost or self.breaches)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_markdown(self) -> str:
        ends = ", ".join(f"{count} {status}" for status, count in sorted(self.statuses.items()))
        lines = [
            "| | |",
            "|---|---|",
            f"| runs | {self.runs} ({ends}) |",
            f"| **paid twice or more** | **{self.doubled}** |",
            f"| **neither paid nor told to be unknown** | **{self.lost}** |",
            f"| **other breaches** | **{len(self.breaches)}** |",
            f"| told to be unknown | {self.unknown} |",
            f"| gone on with by another attempt | {self.restarted} |",
            f"| lost at no point of ours, by a busy machine | {self.elsewhere} |",
            f"| payments that the bank was asked for again, with the same key | {self.repeated_requests} |",
            "",
            "| lost by | tool | at | runs | paid | told to be unknown |",
            "|---|---|---|---|---|---|",
        ]
        for name, row in self.by_case.items():
            lines.append(f"| {name} | {row['runs']} | {row.get('paid', 0)} | {row.get('unknown', 0)} |")
        if self.breaches:
            lines += ["", *(f"- {breach}" for breach in self.breaches[:SHOWN])]
        return "\n".join(lines) + "\n"


def faults_of(outcome: Outcome, paid: int) -> list[str]:
    """Return what is not as it must be."""
    case = outcome.case
    name = f"{case.id} ({case.entry}, {case.mode}, {case.point})"
    faults = []
    if outcome.status != "completed":
        faults.append(f"{name} is {outcome.status}")
    if not outcome.held:  # it was lost elsewhere: what is promised holds wherever that was
        return faults
    if paid != case.effects:
        faults.append(f"{name} was paid {paid} times, not {case.effects}")
    if outcome.unknown != case.unknown:
        faults.append(f"{name} was {'' if outcome.unknown else 'not '}told to be unknown")
    if outcome.thread != 200:
        faults.append(f"{name}: its thread answers {outcome.thread}")
    return faults
