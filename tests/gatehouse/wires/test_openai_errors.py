"""What OpenAI's clients are told to do after an error."""

from typing import Any

import pytest

from gatehouse.limits.refusal import LimitReached
from gatehouse.problems.errors import ApiError, NotFound
from gatehouse.wires.answers import RunFailedBefore
from gatehouse.wires.openai.errors import should_retry

FAILED: dict[str, Any] = {"detail": "?", "status": 503, "type": "urn:x:model-busy", "retry_after": 5}


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (LimitReached("requests", "user", 60), "true"),
        (LimitReached("tokens", "user", 61), "false"),
        (NotFound("?"), "false"),
        (RunFailedBefore(FAILED), "false"),  # it would begin a second run
    ],
)
def test_they_ask_again_where_that_is_worth_while(error: ApiError, again: str) -> None:
    assert should_retry(error, {}) == {"x-should-retry": again}
