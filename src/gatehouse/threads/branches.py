"""The branches of a thread: a question that was edited, or asked again, begins one beside the first.

Messages are a tree. Each knows the one before it; those of one branch, from the first message to the newest,
are shown, and the others are kept. Nothing here asks a database.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

BEGINNING = ""  # the `parent_id` of a thread's first message, and of what is asked in its place


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message is. `parent_id` None: after the message with the position before its own."""

    id: str
    parent_id: str | None
    position: int
    run_id: str
    role: str


class Tree:
    """The messages of one thread, whichever are shown."""

    def __init__(self, places: Iterable[Place]) -> None:
        self._places = sorted(places, key=lambda place: place.position)

    @cached_property
    def by_id(self) -> Mapping[str, Place]:
        return {place.id: place for place in self._places}

    @cached_property
    def parents(self) -> Mapping[str, str]:
        """The message before each, by its id; BEGINNING where there is none."""
        at = {place.position: place.id for place in self._places}
        return {
            place.id: at.get(place.position - 1, BEGINNING) if place.parent_id is None else place.parent_id
            for place in self._places
        }

    @cached_property
    def followers(self) -> Mapping[str, Sequence[str]]:
        """The messages after each, the oldest first."""
        after: defaultdict[str, list[str]] = defaultdict(list)
        for place in self._places:
            after[self.parents[place.id]].append(place.id)
        return after

    def question_of(self, message_id: str) -> str | None:
        """Return the question that a message is, or answers; None when it is none of this thread."""
        place = self.by_id.get(message_id)
        if place is None:
            return None
        if place.role == "human":
            return place.id
        of_run = (
            other.id for other in self._places if other.run_id == place.run_id and other.role == "human"
        )
        return next(of_run, None)

    def alternatives(self, message_id: str) -> tuple[str, ...]:
        """Return the questions asked in the same place, the oldest first; none when there is no other."""
        if self.by_id[message_id].role != "human":
            return ()
        beside = self.followers[self.parents[message_id]]
        questions = tuple(other for other in beside if self.by_id[other].role == "human")
        return questions if len(questions) > 1 else ()

    def before(self, message_id: str) -> list[str]:
        """Return the messages that lead to this one, the first one first."""
        line: list[str] = []
        while (message_id := self.parents[message_id]) != BEGINNING:
            line.append(message_id)
        return line[::-1]

    def branch_of(self, message_id: str) -> list[str]:
        """Return what is shown with a message: all before it, and the newest of what follows it."""
        line = [*self.before(message_id), message_id]
        while after := self.followers.get(line[-1]):
            line.append(after[-1])
        return line
