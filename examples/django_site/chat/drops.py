"""How long to keep trying when the connection to Gatehouse breaks."""

import asyncio
import random

from chat.problems import Problem

TRIES_TO_BEGIN = 2  # a kept connection may have been closed meanwhile; more would only hide that it is away
TRIES_TO_GO_ON = 7  # in about 12 seconds; a run waits 30 for its viewer (GATEHOUSE_DISCONNECT_GRACE)
LONGEST_PAUSE = 4.0  # seconds


class Drops:
    """The broken connections of one stream since something last came."""

    def __init__(self) -> None:
        self.count = 0
        self.tries = TRIES_TO_BEGIN

    def forget(self) -> None:
        """Something came: begin to count anew, and be patient, for there is an answer to lose."""
        self.count = 0
        self.tries = TRIES_TO_GO_ON

    async def pause(self) -> None:
        """Return when it is time for another try. Raises Problem after the last one."""
        self.count += 1
        if self.count == self.tries:
            raise Problem(503, "The assistant cannot be reached. Try again in a moment.", retry_after="5")
        # else all that lost the same server come back to the next at once
        jitter = random.uniform(0.5, 1)  # noqa: S311  # no secret
        await asyncio.sleep(jitter * min(LONGEST_PAUSE, 0.25 * 2**self.count))
