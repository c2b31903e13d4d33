"""Where a thread's messages are kept, as the engine uses it. `gatehouse.threads.history` is one."""

from typing import Protocol

from langchain_core.messages import BaseMessage

from gatehouse.runs.conversation.files import Block
from gatehouse.runs.conversation.places import StatePlace
from gatehouse.runs.events import Event
from gatehouse.runs.records import RunRecord


class HistoryAway(Exception):
    """The store of the history does not answer now. Whoever waits may ask again."""


class History(Protocol):
    """Where a thread's messages are kept."""

    async def begin(self, run: RunRecord) -> None:
        """Store the human message of a run, and its thread if it opens one.

        Raises NotFound or Conflict when the thread can't take it. Where the run asks late, to do so twice is
        to do so once, and HistoryAway is raised.
        """
        ...

    async def undo(self, run: RunRecord) -> None:
        """Take back what `begin` may have stored of a run that could not be started. Raises HistoryAway."""
        ...

    async def before(self, run: RunRecord) -> list[BaseMessage]:
        """Return the thread's messages before those of `run`, oldest first, within the token budget."""
        ...

    async def files(self, run: RunRecord) -> list[Block]:
        """Return the files that a run is asked about, as content blocks."""
        ...

    async def place(self, run: RunRecord) -> StatePlace:
        """Return where a run goes on in the states that its thread keeps."""
        ...

    async def keep(self, run: RunRecord, steps: list[Event]) -> None:
        """Store the answer of a run that has ended, with the tool steps among its events.

        The question too, where the run asks late. To do so twice is to do so once. Raises HistoryAway.
        """
        ...
