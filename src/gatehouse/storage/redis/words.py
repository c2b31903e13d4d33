"""What Redis says of a command that it refuses, for the log: OOM, READONLY, NOAUTH and the like."""

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeout

MOST = 200  # characters
QUOTING = "args beginning with"  # an unknown command is answered with a piece of what was sent


def words_of(error: BaseException) -> dict[str, str]:
    """Return a field for a log line with what Redis said; none where the error is not of its saying.

    What a connection says is left out: it may name the URL.
    """
    if not isinstance(error, RedisError) or isinstance(error, RedisConnectionError | RedisTimeout):
        return {}
    return {"said": str(error).partition(QUOTING)[0][:MOST]}
