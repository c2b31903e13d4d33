"""What a rolling update and the faults after it did to clients, as a report and as JSON."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from tests.chaos.rolling.askers import KEY_CLAIMED, Told
from tests.chaos.rolling.fleet import Fleet
from tests.chaos.rolling.newcomers import Newcomers

SHOWN = 20
SEAMLESS = ("calm", "rolling update")  # in which nobody may notice more than a reconnection
CRASHES = ("kill -9",)  # in which a connection may be cut, but no run be lost
CLEAR = {"200", "503"}
KEYS_OF_A_FAULT_BEFORE = (f"calm {KEY_CLAIMED}", f"the end {KEY_CLAIMED}")


@dataclass(frozen=True, slots=True)
class Findings:
    """`newcomers` are the statuses of new requests by phase; `faults` is what should not have happened."""

    answers: dict[str, int]
    statuses: dict[str, int]
    tokens: int
    lost: int
    repeated: int
    reordered: int
    restarts: int
    resumed: int
    refused: dict[str, int]
    broken: dict[str, int]
    newcomers: dict[str, dict[str, int]]
    slowest: dict[str, float]
    recovered: dict[str, float]
    exits: list[int]
    drains: list[float]
    tracebacks: int
    faults: list[str]
    seconds: float

    @classmethod
    def of(
        cls,
        told: Sequence[Told],
        newcomers: Newcomers,
        recovered: Mapping[str, float],
        fleet: Fleet,
        seconds: float,
    ) -> Self:
        transcripts = [one.transcript for one in told]
        statuses = {phase: dict(counts) for phase, counts in newcomers.statuses.items()}
        return cls(
            answers=dict(Counter(one.transport for one in told)),
            statuses=dict(Counter(f"{one.phase}: {one.transcript.status}" for one in told)),
            tokens=sum(one.expected for one in transcripts if one.status == "completed"),
            lost=sum(one.lost for one in transcripts),
            repeated=sum(one.repeated for one in transcripts),
            reordered=sum(one.reordered for one in transcripts),
            restarts=sum(one.restarts for one in transcripts),
            resumed=sum(one.connections > 1 for one in told),
            refused=dict(sum((Counter(one.refused) for one in told), Counter[str]())),
            broken=dict(sum((Counter(one.broken) for one in told), Counter[str]())),
            newcomers=statuses,
            slowest={phase: round(took, 2) for phase, took in newcomers.slowest.items()},
            recovered={phase: round(took, 1) for phase, took in recovered.items()},
            exits=fleet.exits,
            drains=fleet.drains,
            tracebacks=fleet.tracebacks(),
            faults=[*faults_of_clients(told), *faults_of_newcomers(statuses), *faults_of_exits(fleet.exits)],
            seconds=round(seconds, 1),
        )

    @property
    def right(self) -> bool:
        return not (self.lost or self.repeated or self.reordered or self.faults)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_markdown(self) -> str:
        rows = [
            ("answers read to their end", in_words(self.answers)),
            ("how they ended", in_words(self.statuses)),
            ("tokens of completed answers", self.tokens),
            ("**tokens lost, repeated, reordered**", f"**{self.lost}, {self.repeated}, {self.reordered}**"),
            ("**other faults**", f"**{len(self.faults)}**"),
            ("`restart` events seen", self.restarts),
            ("answers read over more than one connection", self.resumed),
            ("connections that ended before their answer, by phase", in_words(self.broken)),
            ("streams refused, by phase and status", in_words(self.refused)),
            ("seconds from SIGTERM to the exit of each rolled replica", self.drains),
            ("their exit codes", self.exits),
            ("tracebacks in the replicas' logs", self.tracebacks),
            ("whole test", f"{self.seconds} s"),
        ]
        table = "".join(f"| {name} | {value} |\n" for name, value in rows)
        phases = "".join(
            f"| {phase} | {in_words(counts)} | {self.slowest[phase]} | {self.recovered.get(phase, '')} |\n"
            for phase, counts in self.newcomers.items()
        )
        shown = "".join(f"- {fault}\n" for fault in self.faults[:SHOWN])
        return (
            f"| | |\n|---|---|\n{table}\n## New requests\n\n"
            "| phase | answers | slowest, s | served again after, s |\n|---|---|---:|---:|\n"
            f"{phases}" + (f"\nFaults, the first {SHOWN}:\n\n{shown}" if shown else "")
        )


def faults_of_clients(told: Sequence[Told]) -> list[str]:
    """Return what clients were told that was wrong, and what they noticed of what is to be seamless."""
    faults = [f"{one.transport}: {fault}" for one in told for fault in one.transcript.faults]
    for one in told:
        # nobody cancels here; a run may fail, and say so, while a store is away
        ends = {"completed"} if one.phase in (*SEAMLESS, *CRASHES) else {"completed", "failed"}
        if one.transcript.status not in ends:
            faults.append(f"{one.transport}: {one.transcript.status} in phase {one.phase}")
        refused = [what for what in one.refused if what not in KEYS_OF_A_FAULT_BEFORE]
        faults += [f"{one.transport}: refused: {what}" for what in refused if what.startswith(SEAMLESS)]
        if one.transport == "LangServe":
            faults += [f"LangServe: cut in phase {phase}" for phase in one.broken if phase in SEAMLESS]
    return faults


def faults_of_newcomers(statuses: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return the new requests that were not served in a seamless phase, or not answered clearly in another."""
    return [
        f"new requests: {count} x {status} in phase {phase}"
        for phase, counts in statuses.items()
        for status, count in counts.items()
        if status not in (CLEAR if phase not in SEAMLESS else {"200"})
    ]


def faults_of_exits(exits: Sequence[int]) -> list[str]:
    return [f"a drained replica exited with {code}" for code in exits if code]


def in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} x {name}" for name, count in sorted(counts.items())) or "none"
