"""Which row of the ledger a call is, when its id does not say so: an attempt from the start has other ids."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gatehouse.ledger.effect import Call, Effect, bounded

OTHER_ARGUMENTS = "an earlier attempt at this run called the tool with other arguments"
LIKE_UNKNOWN = "it is unknown whether the same call was done before in this run"


@dataclass(frozen=True, slots=True)
class Matched:
    """The row of the call, if there is one.

    If not: why it may have been done all the same (`doubt`, else empty), and the id of an earlier call of the
    same in the run (`same_as`).
    """

    effect: Effect | None = None
    doubt: str = ""
    same_as: str = ""


def earlier_of(call: Call, of_run: Sequence[Effect]) -> Matched:
    """Return what the rows of its run, in the order in which they were claimed, say of a call.

    Calls without an id of their own, and all calls of an attempt that began from the start, are taken for
    those of earlier attempts with the same arguments, in their order.
    """
    same = [effect for effect in of_run if effect.digest == call.digest]
    before = [effect for effect in same if effect.attempt < call.attempt]
    if call.id:
        before_by_id = [effect for effect in same if effect.call_id == call.id]
        before = before_by_id or (before if call.anew else [])
    elif not call.anew:
        before = [effect for effect in before if effect.call_id.startswith(f"{bounded(call.place)}#")]
    if before:
        return Matched(before[0])
    unseen = [effect for effect in of_run if effect.attempt < call.attempt and effect.tool == call.tool]
    doubt = ""
    if call.anew and any(effect.status != "failed" for effect in unseen):
        doubt = OTHER_ARGUMENTS
    elif any(is_open(effect, call) for effect in same):
        doubt = LIKE_UNKNOWN
    return Matched(doubt=doubt, same_as=last_of(same))


def is_open(effect: Effect, call: Call) -> bool:
    """Tell whether nobody knows yet, or any more, whether an effect has happened."""
    return effect.status == "unknown" or (effect.status == "claimed" and effect.attempt < call.attempt)


def last_of(same: Iterable[Effect]) -> str:
    """Return the id of the newest call that did what is asked for again, empty without one."""
    return next((effect.call_id for effect in [*same][::-1] if effect.status != "failed"), "")
