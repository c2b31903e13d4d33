"""Callback handlers for any LangChain model or runnable: `config={"callbacks": [StreamingWriter()]}`.

All of them can be shared by runs that go on at once, in one event loop or in several threads: they keep apart
what belongs to different calls of a model. They are inline: LangChain would give any other handler that is
not asynchronous a thread for every token, and one that is asynchronous a task. A model that does not stream
(`invoke` of most) is heard at its end, in one piece.

For `async for` over what models say, see `gatehouse.callbacks.token_queue`.
"""

import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TextIO
from uuid import UUID

from gatehouse.callbacks.progress import Progress
from gatehouse.callbacks.text import TextHandler

__all__ = ["Accumulator", "Answer", "Progress", "ProgressTracker", "StreamingWriter"]


class StreamingWriter(TextHandler):
    """Writes what models say to a text stream as it comes: `prefix`, the answer, the end of the line.

    Answers do not mix: while one is written, what others say is held, and follows in the order in which they
    began to speak. `tokens` counts those of all. A stream that cannot be written to ends the run, so that
    `script | head` stops.
    """

    raise_error = True

    def __init__(self, stream: TextIO | None = None, prefix: str = "") -> None:
        super().__init__()
        self.stream = stream or sys.stdout
        self.prefix = prefix
        self.tokens = 0
        self._speaking: dict[UUID, Speech] = {}  # the first one is written, the others are held
        self._lock = threading.Lock()

    def said(self, run_id: UUID, text: str) -> None:
        with self._lock:
            speech = self._speaking.setdefault(run_id, Speech([self.prefix]))
            speech.held.append(text)
            speech.chunks += 1
            self.tokens += 1
            self._write()

    def ended(self, run_id: UUID, tokens: int | None, error: BaseException | None) -> None:
        with self._lock:
            if speech := self._speaking.get(run_id):
                speech.held.append("\n")
                speech.over = True
                self.tokens += 0 if tokens is None else tokens - speech.chunks
                self._write()

    def _write(self) -> None:
        """Write what may be written: all of the first speech so far, and of the next if that one is over."""
        while speech := next(iter(self._speaking.values()), None):
            ready = "".join(speech.held)
            speech.held.clear()
            if speech.over:
                del self._speaking[next(iter(self._speaking))]
            self.stream.write(ready)
            self.stream.flush()
            if not speech.over:
                return


@dataclass(slots=True)
class Speech:
    """What a call of a model has said and is not written yet."""

    held: list[str]
    chunks: int = 0
    over: bool = False


@dataclass(slots=True)
class Answer:
    """What one call of a model said. `tokens` counts chunks, until the model tells the true number.

    `ended` is true when nothing more comes; `error` is why, if the call failed or was cut off.
    """

    parts: list[str] = field(default_factory=list)
    tokens: int = 0
    ended: bool = False
    error: BaseException | None = None

    @property
    def text(self) -> str:
        return "".join(self.parts)


class Accumulator(TextHandler):
    """Keeps what models said: the newest `keep` answers, by run id, in the order of their questions."""

    def __init__(self, keep: int = 100) -> None:
        super().__init__()
        self.keep = keep
        self._answers: dict[UUID, Answer] = {}

    @property
    def answers(self) -> Mapping[UUID, Answer]:
        return dict(self._answers)

    @property
    def text(self) -> str:
        """The newest answer so far: of an agent that has ended, the one after its last tool; else empty."""
        newest = next(reversed(list(self._answers.values())), Answer())
        return newest.text

    @property
    def tokens(self) -> int:
        """The tokens of all answers that are kept."""
        return sum(answer.tokens for answer in list(self._answers.values()))

    def began(self, run_id: UUID) -> None:
        self._answers[run_id] = Answer()
        for oldest in list(self._answers)[: -self.keep]:
            self._answers.pop(oldest, None)

    def said(self, run_id: UUID, text: str) -> None:
        if answer := self._answers.get(run_id):
            answer.parts.append(text)
            answer.tokens += 1

    def ended(self, run_id: UUID, tokens: int | None, error: BaseException | None) -> None:
        if answer := self._answers.get(run_id):
            answer.tokens = answer.tokens if tokens is None else tokens
            answer.ended = True
            answer.error = error


class ProgressTracker(TextHandler):
    """Calls `report(run_id, progress)` while a model speaks: at its first token, every `every` seconds, and
    at its end. A call that has ended is forgotten.
    """

    def __init__(
        self,
        report: Callable[[UUID, Progress], None],
        every: float = 0.1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.report = report
        self.every = every
        self.clock = clock
        self._running: dict[UUID, Progress] = {}
        self._due: dict[UUID, float] = {}

    def began(self, run_id: UUID) -> None:
        progress = self._running[run_id] = Progress(self.clock)
        progress.start()

    def said(self, run_id: UUID, text: str) -> None:
        progress = self._running[run_id]
        progress.add(text)
        now = self.clock()
        if now >= self._due.get(run_id, now):
            self._due[run_id] = now + self.every
            self.report(run_id, progress)

    def ended(self, run_id: UUID, tokens: int | None, error: BaseException | None) -> None:
        self._due.pop(run_id, None)
        progress = self._running.pop(run_id)
        if tokens is not None:
            progress.settle(tokens)
        self.report(run_id, progress)
