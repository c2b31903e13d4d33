"""The answer to a caller who has used what they may."""

from math import ceil
from typing import Literal

from gatehouse.problems.errors import ApiError, Unavailable

Limit = Literal["requests", "runs", "tokens", "open-streams", "held-bytes", "sign-ins"]
Whose = Literal["user", "tenant", "address"]

DETAILS: dict[Limit, str] = {
    "requests": "Too many requests.",
    "runs": "Too many runs go on at once.",
    "tokens": "The tokens of this day are used up or reserved by runs that go on.",
    "open-streams": "Too many streams are open at once.",
    "held-bytes": "Too much is still being sent by you, or was sent to you and is not taken yet.",
    "sign-ins": "Too many sign-ins failed.",
}
OWNERS: dict[Whose, str] = {
    "user": "This is your own limit.",
    "tenant": "This is the limit of all users of your tenant together.",
    "address": "This is the limit of your network address.",
}


class LimitReached(ApiError):
    """RFC 6585 section 4. `violated-policies` is of draft-ietf-httpapi-ratelimit-headers."""

    status = 429
    kind = "quota-exceeded"
    default_detail = "A limit is reached. Try again later: Retry-After says when."

    def __init__(self, limit: Limit, whose: Whose, seconds: float) -> None:
        """`seconds` is after which time it is worth while to try again."""
        self.limit, self.whose = limit, whose
        wait = max(1, ceil(seconds))
        super().__init__(
            f"{DETAILS[limit]} {OWNERS[whose]} Try again in {wait} s.",
            headers={"retry-after": str(wait)},
            limit=limit,
            of=whose,
            retry_after=wait,
            **{"violated-policies": [policy_name(limit, whose)]},
        )


LIMITED = {**LimitReached.schema(), **Unavailable.schema()}  # for `responses=`: any request may get them


def policy_name(limit: Limit, whose: Whose) -> str:
    """Return what a limit is called in RateLimit-Policy and in /api/me."""
    return f"tenant-{limit}" if whose == "tenant" else limit
