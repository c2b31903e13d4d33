"""What became of the payments, as a printed report and as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import httpx

from tests.chaos.effects.cases import Case

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a run stood still at its point, how it ended, what its viewers were told, and its thread answers.

    `approval` is what became of the approval, empty where nobody was asked; `contradictions` are what those who
    decided were told and cannot be.
    """

    case: Case
    held: bool
    status: str
    unknown: bool
    restarted: bool
    thread: int
    approval: str = ""
    contradictions: Sequence[str] = ()

    @property
    def wanted(self) -> bool:
        """Tell whether it had to be paid: it was not rejected, cancelled or let expire."""
        return self.approval in ("", "approved") and self.status not in ("cancelled", "vanished")


@dataclass(frozen=True, slots=True)
class Findings:
    """Counts of runs; `breaches` says in words what was not as promised."""

    runs: int
    statuses: dict[str, int]
    doubled: int
    lost: int
    stuck: int
    still_claimed: int
    approvals: dict[str, int]
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
        claimed: int,
    ) -> Self:
        made = {
            outcome.case.id: at_bank.get(outcome.case.id, 0) + own.get(outcome.case.id, 0)
            for outcome in outcomes
        }
        table: dict[str, Counter[str]] = {}
        for outcome in outcomes:
            case = outcome.case
            row = table.setdefault(f"{case.fault} | {case.word or '-'} | {case.point}", Counter())
            row += Counter(
                runs=1, wanted=int(outcome.wanted), paid=made[case.id], unknown=int(outcome.unknown)
            )
        return cls(
            runs=len(outcomes),
            statuses=dict(Counter(outcome.status for outcome in outcomes)),
            doubled=sum(count > 1 for count in made.values()),
            lost=sum(one.wanted and not made[one.case.id] and not one.unknown for one in outcomes),
            stuck=sum(one.status == "stuck" or one.thread != httpx.codes.OK for one in outcomes),
            still_claimed=claimed,
            approvals=dict(Counter(one.approval for one in outcomes if one.approval)),
            unknown=sum(outcome.unknown for outcome in outcomes),
            restarted=sum(outcome.restarted for outcome in outcomes),
            elsewhere=sum(not outcome.held for outcome in outcomes),
            repeated_requests=sum(count > 1 for count in requests.values()),
            by_case={name: dict(row) for name, row in sorted(table.items())},
            breaches=[fault for outcome in outcomes for fault in faults_of(outcome, made[outcome.case.id])],
        )

    @property
    def right(self) -> bool:
        return not (self.doubled or self.lost or self.stuck or self.still_claimed or self.breaches)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_markdown(self) -> str:
        lines = [
            "| | |",
            "|---|---|",
            f"| runs | {self.runs} ({listed(self.statuses)}) |",
            f"| approvals that people decided on at once | {listed(self.approvals)} |",
            f"| **paid twice or more** | **{self.doubled}** |",
            f"| **not refused, and neither paid nor told to be unknown** | **{self.lost}** |",
            f"| **threads that cannot go on** | **{self.stuck}** |",
            f"| **calls that the ledger takes to be under way for ever** | **{self.still_claimed}** |",
            f"| **other breaches** | **{len(self.breaches)}** |",
            f"| told to be unknown | {self.unknown} |",
            f"| gone on with by another attempt | {self.restarted} |",
            f"| lost at no point of ours, by a busy machine | {self.elsewhere} |",
            f"| payments that the bank was asked for again, with the same key | {self.repeated_requests} |",
            "",
            "| fault | approved | at | runs | to be paid | paid | told to be unknown |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, row in self.by_case.items():
            counts = (row.get(count, 0) for count in ("runs", "wanted", "paid", "unknown"))
            lines.append(f"| {name} | {' | '.join(map(str, counts))} |")
        if self.breaches:
            lines += ["", *(f"- {breach}" for breach in self.breaches[:SHOWN])]
        return "\n".join(lines) + "\n"


def listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"


def faults_of(outcome: Outcome, paid: int) -> list[str]:
    """Return what is not as it must be."""
    case = outcome.case
    name = f"{case.id} ({case.entry}, {case.mode}, {case.point}{case.word and f', {case.word}'})"
    faults = [f"{name}: {contradiction}" for contradiction in outcome.contradictions]
    if outcome.status not in ends_of(outcome):
        faults.append(f"{name} is {outcome.status}, its approval {outcome.approval or 'none'}")
    if outcome.approval not in ("", "approved") and paid:
        faults.append(f"{name} was paid, and its approval is {outcome.approval}")
    if outcome.thread != httpx.codes.OK:
        faults.append(f"{name}: its thread answers {outcome.thread}")
    if case.vanishes and outcome.held and (paid, outcome.unknown) != case.left:
        faults.append(
            f"{name} was paid {paid} times, and people were {'' if outcome.unknown else 'not '}asked"
        )
    if not outcome.held or not outcome.wanted:  # lost elsewhere: what is promised holds wherever that was
        return faults
    unknown, effects = case.unknown, case.effects
    if case.fault == "pause" and not outcome.unknown:  # it has woken up before anybody came to this call
        unknown, effects = False, (1,)
    if paid not in effects:
        faults.append(f"{name} was paid {paid} times")
    if outcome.unknown != unknown:
        faults.append(f"{name} was {'' if outcome.unknown else 'not '}told to be unknown")
    return faults


def ends_of(outcome: Outcome) -> Sequence[str]:
    """Return how a run may have ended, after what became of its approval."""
    if outcome.case.vanishes:
        return ("vanished",)
    match outcome.approval:
        case "expired":
            return ("failed",)
        case "cancelled":
            return ("cancelled",)
        case "approved" if outcome.case.word == "cancelled":
            return ("cancelled", "completed")
    return ("completed",)
