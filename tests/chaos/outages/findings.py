"""What the outages cost, as a printed report and as JSON."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.outages.executions import Executed, most_at_once
from tests.chaos.outages.faults import Fault
from tests.chaos.outages.fleet import SMALL_RUNS
from tests.chaos.viewer import Story

SHOWN = 40
STOPPED_SECONDS = 3.0  # within which what nobody may come back to ends when its client has left


@dataclass(frozen=True, slots=True)
class Outcome:
    """One client's run, and how it ended in the end."""

    case: str
    paying: bool
    story: Story
    status: str


@dataclass(frozen=True, slots=True)
class Round:
    """What became of the runs that one fault hit, and what was left of them for too long."""

    fault: Fault
    outcomes: Sequence[Outcome]
    executed: Sequence[Executed]
    left_over: list[str]
    seconds: float

    def breaches(self) -> list[str]:
        """Return in words what was not as promised."""
        by_case: dict[str, list[Executed]] = {}
        for one in self.executed:
            by_case.setdefault(one.case, []).append(one)
        found = [
            f"{outcome.case}, run {outcome.story.run_id}: {breach}"
            for outcome in self.outcomes
            for breach in (
                *told_wrongly(outcome, self.fault),
                *executed_wrongly(by_case.get(outcome.case, []), outcome, self.fault),
            )
        ]
        return [*found, *self.left_over]

    def line(self) -> str:
        row = self.row()
        return f"{self.fault.name}: {row['statuses']}, {self.seconds:.0f} s, {len(self.breaches())} breaches"

    def row(self) -> dict[str, Any]:
        lives = [one.story.live for one in self.outcomes]
        return {
            "runs": len(self.outcomes),
            "statuses": dict(Counter(one.status or "unknown" for one in self.outcomes)),
            "restarted": sum(live.restarts > 0 for live in lives),
            "gaps": sum(live.gaps for live in lives),
            "refused": sum((one.story.statuses for one in self.outcomes), Counter[int]()).total(),
        }


def told_wrongly(outcome: Outcome, fault: Fault) -> Iterator[str]:
    """Yield what is wrong with what the client was told."""
    live = outcome.story.live
    yield from (*live.faults, *outcome.story.faults)
    if live.lost or live.repeated or live.reordered:
        yield f"{live.lost} tokens lost, {live.repeated} repeated, {live.reordered} reordered"
    excused = (fault.loses and outcome.story.unknown) or (
        fault.fails_agents and outcome.paying and outcome.status == "failed"
    )
    if outcome.status != "completed" and not excused:
        yield f"it is {outcome.status or 'without end'}: {live.problem}"


def executed_wrongly(executed: Sequence[Executed], outcome: Outcome, fault: Fault) -> Iterator[str]:
    """Yield what was executed that should not have been, or the other way round."""
    payments = sum(one.what == "acted" for one in executed)
    begun = [one for one in executed if one.what == "began"]
    if not fault.loses and len({one.run_id for one in executed}) > 1:
        yield f"{len({one.run_id for one in executed})} runs were executed for one question"
    if len(begun) > fault.attempts or outcome.story.live.restarts >= fault.attempts:
        yield f"{max(len(begun), outcome.story.live.restarts + 1)} attempts, of which there may be {fault.attempts}"
    if payments > 1 and not fault.loses:
        yield f"{payments} payments"
    if outcome.status == "completed" and not executed:
        yield "nothing was executed for it"


@dataclass(frozen=True, slots=True)
class Left:
    """What was executed for so many clients who left, until `gone` (Unix seconds) and after; places they hold."""

    clients: int
    executed: Sequence[Executed]
    gone: float
    held: int

    @property
    def begun(self) -> int:
        return sum(one.what == "began" for one in self.executed)

    @property
    def most_at_once(self) -> int:
        return most_at_once(list(self.executed))

    def breaches(self) -> list[str]:
        late = sum(one.what == "began" and one.at > self.gone + STOPPED_SECONDS for one in self.executed)
        found = {
            f"{self.most_at_once} runs at once, of which there may be {SMALL_RUNS}": self.most_at_once
            > SMALL_RUNS,
            f"{late} runs began long after their clients had left": late > 0,
            f"{self.held} places in the limits are held by nobody": self.held > 0,
        }
        return [f"leavers: {breach}" for breach, true in found.items() if true]


@dataclass(frozen=True, slots=True)
class Findings:
    """`rows` has the counts of each fault; `breaches` says in words what was not as promised."""

    runs: int
    seconds: float
    rows: dict[str, dict[str, Any]]
    leavers: dict[str, int]
    payments: int
    checkpoints_left: int
    breaches: list[str]

    @classmethod
    def of(
        cls, rounds: Sequence[Round], left: Sequence[Left], executed: Sequence[Executed], leaked: set[str]
    ) -> "Findings":
        rows: dict[str, dict[str, Any]] = {}
        for one in rounds:
            row = rows.setdefault(one.fault.name, {"breaches": 0, "statuses": Counter()})
            told = one.row()
            row["statuses"].update(told.pop("statuses"))
            for name, count in told.items():
                row[name] = row.get(name, 0) + count
            row["breaches"] += len(one.breaches())
        return cls(
            runs=sum(len(one.outcomes) for one in rounds),
            seconds=round(sum(one.seconds for one in rounds), 1),
            rows=rows,
            leavers={
                "clients": sum(one.clients for one in left),
                "executed": sum(one.begun for one in left),
                "most at once": max((one.most_at_once for one in left), default=0),
            },
            payments=sum(one.what == "acted" for one in executed),
            checkpoints_left=len(leaked),
            breaches=[
                *(f"{one.fault.name}: {breach}" for one in rounds for breach in one.breaches()),
                *(breach for one in left for breach in one.breaches()),
                *(f"run {run_id}: its checkpoints are still there" for run_id in sorted(leaked)),
            ],
        )

    @property
    def right(self) -> bool:
        return not self.breaches

    def as_json(self) -> dict[str, Any]:
        rows = {name: {**row, "statuses": dict(row["statuses"])} for name, row in self.rows.items()}
        return {
            "runs": self.runs, "seconds": self.seconds, "faults": rows, "leavers": self.leavers,
            "payments": self.payments, "checkpoints_left": self.checkpoints_left, "breaches": self.breaches,
        }  # fmt: skip

    def as_markdown(self) -> str:
        lines = [
            f"{self.runs} runs, {self.payments} payments, {self.seconds:.0f} s. "
            f"**{len(self.breaches)} breaches**, {self.checkpoints_left} runs whose checkpoints stayed.",
            "",
            "| fault | runs | ended | restarted | gaps told | refused, and asked again | breaches |",
            "|---|---|---|---|---|---|---|",
        ]
        for name, row in self.rows.items():
            ends = ", ".join(f"{count} {status}" for status, count in sorted(row["statuses"].items()))
            lines.append(
                f"| {name} | {row['runs']} | {ends} | {row['restarted']} | {row['gaps']} | {row['refused']} "
                f"| {row['breaches']} |"
            )
        lines += [
            "",
            f"{self.leavers['clients']} clients aborted 0 to 15 ms after they had asked: "
            f"{self.leavers['executed']} runs were executed, at most {self.leavers['most at once']} at once of "
            f"{SMALL_RUNS}.",
        ]
        if self.breaches:
            lines += ["", *(f"- {breach}" for breach in self.breaches[:SHOWN])]
        return "\n".join(lines) + "\n"
