"""What is tried: a payment by a tool that declares itself so, whose process is lost at this point."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, product
from typing import Literal, get_args

Mode = Literal["plain", "idempotent", "check", "transaction"]
Point = Literal["before claim", "after claim", "before paying", "after paying", "before done", "after done"]
Entry = Literal["kept", "anew"]  # an agent with checkpoints, and one that is asked from the start again
Fault = Literal["kill", "pause"]

BEFORE_PAYING = ("before claim", "after claim", "before paying")
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

    @property
    def unknown(self) -> bool:
        """Tell whether it must be told that nobody knows: of a plain tool that was begun and not done."""
        begun = self.point not in ("before claim", "after done")
        return self.mode == "plain" and begun

    @property
    def effects(self) -> int:
        """How many payments there must be in the end."""
        if not self.unknown or self.entry == "kept":  # its run waits for a person, who looks
            return 1
        if self.fault == "pause":  # it wakes up: before its first step it is held back, after that it pays
            return 0 if self.point == "after claim" else 1
        return 0 if self.point in BEFORE_PAYING else 1


def cases(fault: Fault) -> Iterator[Case]:
    """Yield cases without end: all ways and points in turn, with each kind of agent alternately."""
    ways = [(mode, point) for mode, point in product(get_args(Mode), get_args(Point))]
    for number, (mode, point) in enumerate(cycle(ways)):
        entry = get_args(Entry)[(number + number // len(ways)) % 2]
        if (fault, mode, point) != NOT_PROMISED:
            yield Case(f"{fault}-{number}", entry, mode, point, fault)
