"""An engine that nobody observes: in programs that run one without the server around it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from uuid import UUID

from gatehouse.runs.observing import CallObserver, ModelUse, Timing, Transport
from gatehouse.runs.records import RunRecord


class Unobserved:
    """A RunObserver and CallObserver that does nothing."""

    def trace(self) -> str:
        return ""

    def started(self, run: RunRecord) -> None:
        """Do nothing."""

    def restarted(self, run: RunRecord) -> None:
        """Do nothing."""

    @contextmanager
    def attempt(self, run: RunRecord) -> Iterator[CallObserver]:  # noqa: ARG002  # the protocol's signature
        yield self

    def ended(self, ended: RunRecord, timing: Timing) -> None:
        """Do nothing."""

    def resumed(self, transport: Transport) -> None:
        """Do nothing."""

    def answered_again(self, *, hit: bool) -> None:
        """Do nothing."""

    def gap(self) -> None:
        """Do nothing."""

    def model_began(self, call: UUID, metadata: Mapping[str, object]) -> None:
        """Do nothing."""

    def model_ended(self, call: UUID, use: ModelUse) -> None:
        """Do nothing."""

    def tool_began(self, call: UUID, tool: str, call_id: str) -> None:
        """Do nothing."""

    def tool_repeated(self, tool: str) -> None:
        """Do nothing."""

    def tool_ended(self, call: UUID, error: str) -> None:
        """Do nothing."""
