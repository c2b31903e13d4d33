"""What one client was told of one run, checked event by event against the protocol of docs/streaming.md."""

from dataclasses import dataclass, field
from typing import Any

Cursor = tuple[int, int]
BEGINNING: Cursor = (0, 0)


def cursor_of(event_id: str) -> Cursor:
    """Return `<attempt>-<sequence>` as numbers. Raises ValueError."""
    attempt, _, sequence = event_id.partition("-")
    return int(attempt), int(sequence)


@dataclass(slots=True)
class Transcript:
    """The answer as a client puts it together. The scripted model says t1 t2 … up to `expected`.

    `faults` says in words what was wrong; tokens are counted by their numbers, events by their ids.
    """

    expected: int
    cursor: Cursor = BEGINNING
    text: str = ""
    lost: int = 0
    repeated: int = 0
    reordered: int = 0
    restarts: int = 0
    gaps: int = 0
    ends: int = 0
    status: str = ""
    problem: str = ""
    faults: list[str] = field(default_factory=list)
    _top: int = 0
    _said: set[int] = field(default_factory=set)
    _complete: str | None = None

    def take(self, event_id: str, kind: str, body: dict[str, Any]) -> None:
        """Add the next event, as it came over the wire."""
        self._place(cursor_of(event_id), kind)
        if body.get("type") != kind:
            self.faults.append(f"{event_id}: event {kind} has a body of type {body.get('type')}")
        if self.ends:
            self.faults.append(f"{event_id}: {kind} after the end")
        if kind == "token":
            self.text += body["content"]
            self._say(body["content"])
        elif kind in ("restart", "gap"):
            self._begin_again(kind, body)
        elif kind == "complete":
            self._complete = body["content"]
        elif kind == "error":
            self.problem = body["content"]
        elif kind == "end":
            self.ends += 1
            self.status = body["status"]

    def finish(self) -> None:
        """Check the whole: call it once, when the run's `end` was seen."""
        if self.ends != 1:
            self.faults.append(f"{self.ends} end events")
        if self.status != "completed":
            return
        self.lost += self.expected - self._top
        if self._complete != self.text:
            self.faults.append("the complete event is not the text that was put together")

    def _place(self, cursor: Cursor, kind: str) -> None:
        """Check that nothing can lie between the last event and this one."""
        attempt, sequence = self.cursor
        if cursor == (attempt, sequence + 1):
            fits = attempt > 0
        elif kind == "gap":
            fits = cursor > self.cursor
        else:
            first = "start" if self.cursor == BEGINNING and cursor[0] == 1 else "restart"
            fits = cursor[0] > attempt and cursor[1] == 1 and kind == first
        if not fits:
            self.faults.append(f"{kind} {cursor[0]}-{cursor[1]} came after {attempt}-{sequence}")
        self.cursor = cursor

    def _begin_again(self, kind: str, body: dict[str, Any]) -> None:
        self._top = 0
        self._said.clear()
        self.text = body["text"] if kind == "gap" else ""
        self.gaps += kind == "gap"
        self.restarts += kind == "restart"
        for word in self.text.split():
            self._say(word)

    def _say(self, content: str) -> None:
        """Count a token by its number."""
        number = int(content.strip().removeprefix("t") or 0)
        if number > self._top:
            self.lost += number - self._top - 1
            self._top = number
        elif number in self._said:
            self.repeated += 1
        else:
            self.lost -= 1  # it was only late
            self.reordered += 1
        self._said.add(number)
