"""Makes the steps of a run out of what a graph streams."""

from collections.abc import Iterator, Sequence
from typing import Any

from gatehouse.problems.approvals import CannotAsk
from gatehouse.runs.sources.graphs.answering import Answering
from gatehouse.runs.sources.graphs.checkpoints import Graph
from gatehouse.runs.sources.graphs.interrupts import asked_of, interrupts_in
from gatehouse.runs.sources.graphs.telling import Telling
from gatehouse.runs.sources.graphs.writing import Writing
from gatehouse.runs.sources.steps import Asked, Interrupted, Path, Step, Told


class Following:
    """Makes steps of what a graph streams; `state` is its state so far, `channels` those that it returns.

    `asked` is what it waits for, by id. With `told`, the viewers have what was told before it was resumed.
    """

    def __init__(
        self, answering: Answering, resumed: bool, channels: str | Sequence[str], told: bool = False
    ) -> None:
        self.state: Any = None
        self.asked: dict[str, Asked] = {}
        self._told = told
        self._channels = channels
        self._resumed = resumed
        self._telling = Telling(answering)
        self.goes_on = self._telling.goes_on  # whether a piece of a message is a step by itself
        self._writing = Writing()

    def steps(self, mode: str, payload: Any, path: Path) -> Iterator[Step]:
        """Yield the steps that a piece of the stream is."""
        if mode == "messages":
            yield from self._telling.heard(*payload, path=path)
        elif mode == "custom":
            yield Told(payload, path)
        elif mode == "updates":
            for interrupt in interrupts_in(payload):  # first of a subgraph, and then of the graph around it
                self.asked.setdefault(interrupt.id, asked_of(interrupt, path))
            again = self._told and is_cached(payload)
            for step in self._writing.changes(payload, path):
                if again:
                    continue
                self._telling.finished(step)
                yield step
        else:
            if self._writing.began(payload) and self._resumed:
                for said in self._telling.resumed(payload):
                    if not self._told:
                        yield said
            self.state = self.state if path else payload

    def interrupted(self, graph: Graph) -> Interrupted:
        """Return what the graph waits for. Raises CannotAsk for one that keeps nothing to go on from."""
        if not graph.checkpointer:
            raise CannotAsk
        return Interrupted(tuple(self.asked.values()))

    @property
    def output(self) -> Any:
        """What the graph returns: its output schema may leave out what its nodes keep for themselves."""
        if isinstance(self._channels, str) or not isinstance(self.state, dict):
            return self.state
        return {name: value for name, value in self.state.items() if name in self._channels}

    def last_steps(self) -> Iterator[Step]:
        """Yield what is left to say when the graph has ended."""
        yield from self._telling.missed(self.output)


def is_cached(update: Any) -> bool:
    """Tell whether a node wrote this in an earlier attempt, and is not run again."""
    about = update.get("__metadata__") if isinstance(update, dict) else None
    return isinstance(about, dict) and bool(about.get("cached"))
