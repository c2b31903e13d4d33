"""What goes wrong, as the browser is told of it."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

# What the user did, and Gatehouse's sentence is meant for them. All else is between the two servers.
USERS_OWN = frozenset({404, 409, 413, 422, 429})
OF_THE_SITE = frozenset({401, 403})

logger = logging.getLogger(__name__)


class Problem(Exception):
    """An HTTP status and a sentence; `retry_after` is in seconds."""

    def __init__(self, status: int, detail: str, retry_after: str | None = None) -> None:
        self.status = status
        self.detail = detail
        self.retry_after = retry_after
        super().__init__(detail)

    def event(self) -> dict[str, Any]:
        """Return it as an event, for a stream that has begun."""
        return {"type": "error", "content": self.detail, "problem": {"status": self.status}}


def refusal(problem: Mapping[str, Any], retry_after: str | None = None) -> Problem:
    """Return what a problem+json body of Gatehouse means here: its own faults are a bad gateway's."""
    status, detail = problem["status"], str(problem.get("detail", ""))
    if status in USERS_OWN:
        return Problem(status, detail, retry_after)
    if status == HTTPStatus.GATEWAY_TIMEOUT:
        return Problem(504, detail)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return Problem(503, detail, retry_after)
    if status in OF_THE_SITE:
        logger.error("Gatehouse does not accept what this site says of its user: %s", detail)
        return Problem(502, "The assistant does not know this site. Its operator has to look into it.")
    logger.error("Gatehouse failed with %s: %s", status, detail)
    return Problem(502, "The assistant failed. Try again.")


def problem_in(body: bytes, status: int) -> dict[str, Any]:
    """Return the problem of a response with this status, also where a proxy answered with a page."""
    try:
        problem = json.loads(body)
    except ValueError:
        problem = {}
    return {**(problem if isinstance(problem, dict) else {}), "status": status}
