"""What is tried: a payment by a tool that declares itself so, whose process is lost at this point.

Of a payment that waits for a person, what is said of it, by whom at once.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import cycle, product
from typing import Literal, get_args

Mode = Literal["plain", "idempotent", "check", "transaction"]
Point = Literal[
    "before going on", "before claim", "after claim", "before paying", "after paying", "before done",
    "after done", "while it waits",
]  # fmt: skip
# an agent with checkpoints, one that is asked from the start again, and one whose payments a person approves
Entry = Literal["kept", "anew", "asked"]
Fault = Literal["kill", "pause", "Redis lost"]
# Approved by one, by two at once, by one while another rejects it, cancels the run, or it expires
Word = Literal["", "once", "twice", "rejected", "cancelled", "expired"]

POINTS: tuple[Point, ...] = get_args(Point)
AT_WORK, IN_A_WORD = POINTS[1:-1], POINTS[:-1]
WORDS: tuple[Word, ...] = get_args(Word)[1:]
MODES: tuple[Mode, ...] = get_args(Mode)
BEFORE_PAYING = ("before going on", "before claim", "after claim", "before paying")
NOT_BEGUN = ("before going on", "before claim", "after done", "while it waits")
# A process that stands still inside of a tool goes on with it when it wakes up, after the other side was asked
# and has said no: docs/effects.md says that this cannot be promised.
NOT_PROMISED = ("pause", "check", "before paying")


@dataclass(frozen=True, slots=True)
class Case:
    """One run. `id` is told to the bank with the payment."""

    id: str
    entry: Entry
    mode: Mode
    point: Point
    fault: Fault
    word: Word = ""

    @property
    def unknown(self) -> bool:
        """Tell whether it must be told that nobody knows: of a plain tool that was begun and not done."""
        return self.mode == "plain" and self.point not in NOT_BEGUN

    @property
    def vanishes(self) -> bool:
        """Tell whether the run is lost with all that was known of it: nobody goes on with it."""
        return self.fault == "Redis lost" and not self.word

    @property
    def left(self) -> tuple[int, bool]:
        """How many payments a run that vanishes has made, and whether people are asked about it."""
        if self.mode == "transaction":
            return (1 if self.point == "after done" else 0), False
        return (0 if self.point in BEFORE_PAYING else 1), self.point not in NOT_BEGUN

    @property
    def effects(self) -> Collection[int]:
        """How many payments there may be in the end, where a person has not said no."""
        if not self.unknown or self.entry != "anew":  # its run waits for a person, who looks
            return (1,)
        if (
            self.fault == "pause" and self.point == "before paying"
        ):  # it wakes up: it pays, or is stopped before
            return (0, 1)
        return (0,) if self.point in BEFORE_PAYING else (1,)


def unasked(fault: Fault) -> Iterator[Case]:
    """Yield payments that nobody approves, without end: with each kind of agent alternately."""
    ways = [*product(MODES, AT_WORK)]
    for number, (mode, point) in enumerate(cycle(ways)):
        entry: Entry = "anew" if (number + number // len(ways)) % 2 else "kept"
        if (fault, mode, point) != NOT_PROMISED:
            yield Case(f"{fault}-{number}", entry, mode, point, fault)


def asked(fault: Fault) -> Iterator[Case]:
    """Yield payments that wait for a person, without end: each word at each point, with all tools in turn."""
    points: tuple[Point, ...] = ("while it waits",) if fault == "Redis lost" else IN_A_WORD
    for number, (word, point) in enumerate(cycle(product(WORDS, points))):
        mode = MODES[number % len(MODES)]
        if (fault, mode, point) != NOT_PROMISED:
            yield Case(f"asked-{fault}-{number}", "asked", mode, point, fault, word)
