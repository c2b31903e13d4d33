"""Connections to PostgreSQL that take any text, and on which nothing is waited for without end."""

import asyncio
from typing import Any, Self

from psycopg import AsyncConnection, OperationalError
from psycopg.abc import RV as Result  # noqa: N811  # psycopg's own type variable: `wait` is declared with it
from psycopg.abc import Buffer, PQGen
from psycopg.types.string import StrBinaryDumper, StrDumperUnknown
from sqlalchemy.engine import URL

ANSWER_SECONDS = 10.0  # that a statement may take; those of a request take milliseconds

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


def without_nul(text: str) -> str:
    """Return the text as PostgreSQL takes it: it has no U+0000, which PDFs and models have."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


class TextDumper(StrDumperUnknown):
    """Sends text without U+0000."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(without_nul(obj))


class BinaryTextDumper(StrBinaryDumper):
    """Sends text without U+0000, in the binary format."""

    def dump(self, obj: str) -> Buffer | None:
        return super().dump(without_nul(obj))


class BoundedConnection(AsyncConnection[Any]):
    """A connection whose every answer comes within `answer_seconds`, or is an OperationalError.

    The statement is cancelled in the server. A server that does not even answer to that is given ten seconds
    more, and the connection is closed.
    """

    answer_seconds: float | None = ANSWER_SECONDS  # None: for as long as it takes

    @classmethod
    async def connect(cls, *arguments: Any, **options: Any) -> Self:
        """Return a connection. Raises OperationalError."""
        connection = await super().connect(*arguments, **options)
        for dumper in (BinaryTextDumper, TextDumper):
            connection.adapters.register_dumper(str, dumper)
        return connection

    async def wait(self, gen: PQGen[Result], *arguments: Any, **options: Any) -> Result:
        try:
            async with asyncio.timeout(self.answer_seconds):
                return await super().wait(gen, *arguments, **options)
        except TimeoutError as error:
            raise OperationalError(f"no answer within {self.answer_seconds} s") from error


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
