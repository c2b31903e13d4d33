"""Scripts of Redis that are called for every request."""

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from gatehouse.storage.redis.multiplexed import multiplexed
from gatehouse.storage.redis.slots import PRELUDE

COMMAND_SECONDS = 4.0  # that Redis has for any command


class Shared(Protocol):
    """Makes calls over connections that callers share."""

    async def call(self, seconds: float, *command: Any) -> Any: ...


class Clustered:
    """A client of a cluster; `shared` makes its scripts' calls, each to the server that has the keys."""

    shared: Shared


class Script:
    """A script, ready to be called; Redis has so many seconds to answer.

    A call that was interrupted is made again, so a script bears that Redis has obeyed it twice.
    """

    def __init__(self, redis: Redis, text: str, seconds: float) -> None:
        clustered = isinstance(redis, Clustered)
        self._shared: Shared = redis.shared if isinstance(redis, Clustered) else multiplexed(redis)
        self._text = PRELUDE + text if clustered else text
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()
        self._seconds = seconds

    async def __call__(self, keys: Sequence[str], args: Sequence[Any]) -> Any:
        """Return what the script returns. Raises RedisError, of which NoAnswer is one."""
        arguments = (len(keys), *keys, *args)
        try:
            return await self._shared.call(self._seconds, "EVALSHA", self._sha, *arguments)
        except NoScriptError:  # a Redis that has just begun: it keeps the script from here on
            return await self._shared.call(self._seconds, "EVAL", self._text, *arguments)
