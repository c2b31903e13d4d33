"""What a decision is refused with, and what a caller is told whose run waits for one."""

from typing import Any

from gatehouse.problems.errors import ApiError, Refused


class ApprovalDecided(ApiError):
    """Somebody was first; `decision` and `decided_by` say what, and who."""

    status = 409
    kind = "approval-decided"
    default_detail = "This approval was decided already."


class ApprovalChanged(ApiError):
    """What was decided on is not what would be done."""

    status = 409
    kind = "approval-changed"
    default_detail = "This is not what you have seen (its digest is another): look at it again, then decide."


class ApprovalExpired(ApiError):
    """Nobody decided in time."""

    status = 410
    kind = "approval-expired"
    default_detail = "Nobody decided in time, so the run has ended."


class NotAllowedToDecide(Refused):
    """The caller may see the approval, and not decide on it."""

    status = 403
    kind = "not-allowed-to-decide"
    default_detail = "Somebody else has to decide on this."


class ApprovalRequired(ApiError):
    """A run waits for people; `run_id` and `approval_ids` say which, and for what."""

    status = 409
    kind = "approval-required"
    default_detail = "The run waits for a decision: see /api/approvals. It goes on after it."

    def __init__(self, run_id: str, approval_ids: list[str], detail: str | None = None) -> None:
        extra: dict[str, Any] = {"run_id": run_id, "approval_ids": approval_ids}
        super().__init__(detail, **extra)


class CannotAsk(ApiError):
    """A graph asks for a person where its run could not go on from."""

    status = 500
    kind = "approval-not-possible"
    default_detail = (
        "The runnable asks for a person, and keeps nothing that it could go on from: its graph needs the "
        "checkpointer of Parts, and to be the runnable or its last step."
    )


class CheckpointGone(ApiError):
    """What a run that waited would go on from is not there any more. It is not begun anew."""

    status = 500
    kind = "checkpoint-gone"
    default_detail = "What the run would go on from is gone. Nothing was done: ask again."
