"""What is raised when Redis or the database is away."""

from redis.exceptions import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from gatehouse.problems.errors import Unavailable

# Gone, or with so many waiting for it that none was free in time
STORE_IS_AWAY: tuple[type[Exception], ...] = (RedisError, OperationalError, InterfaceError, PoolTimeout)


class ThreadAway(Unavailable):
    """A run cannot be told in its thread, not even its question. Its problem says when to ask again."""

    def __init__(self) -> None:
        super().__init__(retry_after=self.retry_after)
