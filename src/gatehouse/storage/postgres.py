"""Connections to PostgreSQL that take any text, and on which nothing is waited for without end."""

import asyncio
from typing import Any, Self

from psycopg import AsyncConnection, OperationalError
from psycopg.abc import RV as Result  # noqa: N811  # psycopg's own type variable: `wait` is declared with it
from psycopg.abc import Buffer, PQGen
from psycopg.types.string import StrBinaryDumper, StrDumperUnknown

ANSWER_SECONDS = 10.0  # that a statement may take; those of a request take milliseconds


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
