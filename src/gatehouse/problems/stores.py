"""What is raised when Redis or the database is away."""

from redis.exceptions import RedisError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

# Gone, or with so many waiting for it that none was free in time
STORE_IS_AWAY: tuple[type[Exception], ...] = (RedisError, OperationalError, InterfaceError, PoolTimeout)
