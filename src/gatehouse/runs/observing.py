"""What the engine tells of its runs: once a run, an attempt, a call or a gap, and never once a token.

The engine knows neither metrics nor traces. `gatehouse.telemetry.runs` implements these protocols.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import UUID

from gatehouse.runs.events import Usage
from gatehouse.runs.records import RunRecord

Transport = Literal["sse", "websocket", "ui", "openai"]


@dataclass(frozen=True, slots=True)
class ModelUse:
    """What a call of a model came to. `error` names the kind of a failure; its text may hold a secret."""

    used: Usage = field(default_factory=Usage)
    model: str = ""  # as the provider names it
    error: str = ""
    finish_reason: str = ""  # of an answer


class CallObserver(Protocol):
    """Hears of the models and tools that one attempt calls; `call` is LangChain's id of the call."""

    def model_began(self, call: UUID, metadata: Mapping[str, object]) -> None:
        """`metadata` is LangChain's: `ls_model_name`, `ls_provider` and more."""
        ...

    def model_ended(self, call: UUID, use: ModelUse) -> None: ...

    def tool_began(self, call: UUID, tool: str, call_id: str) -> None:
        """`call_id` is the model's id of the tool call, empty when it gave none."""
        ...

    def tool_repeated(self, tool: str) -> None:
        """A tool began that an earlier attempt may have begun too."""
        ...

    def tool_ended(self, call: UUID, error: str) -> None:
        """`error` names the kind of a failure, and is empty when the tool answered."""
        ...


@dataclass(frozen=True, slots=True)
class Timing:
    """How long an attempt took, in seconds; `first_token` is None when there was no token."""

    total: float
    first_token: float | None


class RunObserver(Protocol):
    """Hears of the runs of one process."""

    def trace(self) -> str:
        """Return the W3C traceparent of what goes on now, empty when nothing is traced."""
        ...

    def started(self, run: RunRecord) -> None:
        """A new run was stored, and its first attempt begins here."""
        ...

    def restarted(self, run: RunRecord) -> None:
        """This process makes another attempt at a run whose process is gone."""
        ...

    def attempt(self, run: RunRecord) -> AbstractContextManager[CallObserver]:
        """Surround an attempt of this process."""
        ...

    def ended(self, ended: RunRecord, timing: Timing) -> None:
        """The run has ended here, as its record says."""
        ...

    def resumed(self, transport: Transport) -> None:
        """A viewer came back, to read on after an event that it has."""
        ...

    def answered_again(self, *, hit: bool) -> None:
        """An entry whose answers are given again was asked; a `hit` is one that was kept."""
        ...

    def gap(self) -> None:
        """A viewer was given a `gap` in place of records that the log no longer had."""
        ...
