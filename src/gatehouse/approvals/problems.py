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
    default_detail = "The digest is not that of this approval: look at it again, then decide."


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
