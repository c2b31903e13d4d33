"""Where what runs ask of people is kept, as the engine uses it. `gatehouse.approvals.waits` is one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from gatehouse.identity.principal import Principal
from gatehouse.problems.approvals import CannotAsk
from gatehouse.runs.events import ApprovalAsked, Decided, EffectUnknown, ToolStart
from gatehouse.runs.records import RunRecord
from gatehouse.runs.sources.steps import Asked

How = Literal["decided", "cancelled", "expired", "revoked"]  # the last: who asked may not any more


class WaitsAway(Exception):
    """The store does not answer now. Whoever waits may ask again."""


class ThreadGone(Exception):
    """The run's thread was deleted, so nobody is asked any more."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a run asks: an event for each, and the seconds that it waits at most."""

    events: Sequence[ApprovalAsked]
    seconds: float


@dataclass(frozen=True, slots=True)
class Answers:
    """What was decided: the answers by the ids of their interrupts, and the events that tell of the last.

    `edits` are arguments that a person gave in place of the model's, by the ids of the calls.
    """

    by_interrupt: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[Decided] = ()
    edits: Mapping[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A run that is to go on, as it was kept when its `attempt` ended, with the word of its `decider`."""

    run: RunRecord
    attempt: int
    how: How
    decider: Principal | None = None


class Waits(Protocol):
    """Where the questions of runs are kept, and the answers. All raise WaitsAway."""

    async def open(self, run: RunRecord, asked: Sequence[Asked], calls: Sequence[ToolStart]) -> Opened:
        """Keep what the run asks, and that it waits; twice is once. Raises ThreadGone, CannotAsk."""
        ...

    async def answers(self, run: RunRecord) -> Answers:
        """Return what was decided for the run."""
        ...

    async def cancel(self, run: RunRecord) -> bool:
        """End what is open of a run that waits, and have it end; False when it does not wait."""
        ...

    async def ask_what_is_left(self, tenant_id: str, run_id: str) -> Sequence[EffectUnknown]:
        """Ask what came of calls that a run, which is about to end, leaves unknown; twice is once.

        Return what was not asked before.
        """
        ...

    async def forget(self, run: RunRecord) -> None:
        """Note that the run has ended: what it asks is closed."""
        ...

    async def paused(self, run: RunRecord) -> None:
        """Go on with the run if all was decided while its attempt was ending."""
        ...

    async def kept(self, tenant_id: str, run_id: str) -> RunRecord | None:
        """Return a run that waits; None when there is none. An empty tenant is any that can be seen."""
        ...

    async def waiting_in(self, principal: Principal, thread_id: str) -> Sequence[str]:
        """Return the ids of the principal's runs in a thread that wait, or did and have not ended since."""
        ...


class NobodyDecides:
    """Waits of a program without a store for them: a run that asks fails."""

    async def open(self, run: RunRecord, asked: Sequence[Asked], calls: Sequence[ToolStart]) -> Opened:  # noqa: ARG002  # the protocol's signature
        raise CannotAsk("Nothing here keeps what a run asks.")

    async def answers(self, run: RunRecord) -> Answers:  # noqa: ARG002  # as above
        return Answers()

    async def cancel(self, run: RunRecord) -> bool:  # noqa: ARG002  # as above
        return False

    async def ask_what_is_left(self, tenant_id: str, run_id: str) -> Sequence[EffectUnknown]:  # noqa: ARG002  # as above
        return ()

    async def forget(self, run: RunRecord) -> None:
        """Do nothing."""

    async def paused(self, run: RunRecord) -> None:
        """Do nothing."""

    async def kept(self, tenant_id: str, run_id: str) -> RunRecord | None:  # noqa: ARG002  # as above
        return None

    async def waiting_in(self, principal: Principal, thread_id: str) -> Sequence[str]:  # noqa: ARG002  # as above
        return ()
