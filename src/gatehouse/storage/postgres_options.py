"""What the URL of a PostgreSQL says of connections, and what they are given beside it. Without psycopg."""

from typing import Any

from sqlalchemy.engine import URL

# libpq's: a server that is gone without a word (a node that died) is noticed after half a minute
NETWORK: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}

PREPARE = "prepare_threshold"
PREPARED_AFTER = 5  # executions, as psycopg has it


def network_options(url: URL) -> dict[str, Any]:
    """Return the options of a connection that the URL does not set itself."""
    return {name: value for name, value in NETWORK.items() if name not in url.query}


def prepare_threshold(url: URL, usual: int) -> int | None:
    """Return after how many executions a statement is prepared; None, so that none is, where the URL says so.

    `?prepare_threshold=none` is for PgBouncer before 1.21 that pools by transaction: what one transaction
    prepared, the next finds missing, or there already. Raises ValueError for anything but none or a number.
    """
    asked = url.query.get(PREPARE)
    if asked is None:
        return usual
    if str(asked).lower() == "none":
        return None
    if not (isinstance(asked, str) and asked.isdecimal()):
        raise ValueError(f"{PREPARE} in the URL of the database is none or a number")
    return int(asked)


def without_own_options(url: URL) -> URL:
    """Return the URL without what is no option of PostgreSQL's own."""
    return url.difference_update_query([PREPARE])
