"""Records of one attempt that follow on each other, without an object for each of them.

Nearly all records are tokens, which many runs make at once. A Record and its Cursor for each would take more
time than all else that is done with a token here, and be two objects for the garbage collector to go through.
So what is kept is a list of types and one of data, in which a token's is its text: the same object that the
run's text is put together from. It becomes JSON when a viewer is shown it or the log is written, many at
once.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import count, repeat
from typing import Any

from gatehouse.plain_json import json_of_text
from gatehouse.runs.events import Cursor, Record

Datum = bytes | str  # the JSON of an event, or the text of a token
TOKEN = b'{"content":%s,"type":"token"}'

# as the classes themselves make them, in a third of the time and without a call of a function
CURSOR: Callable[[Any], Cursor] = partial(tuple.__new__, Cursor)
RECORD: Callable[[Any], Record] = partial(tuple.__new__, Record)


class DenseRecords:
    """The records of `attempt` after the sequence `before`, in their order."""

    __slots__ = ("attempt", "before", "data", "types")

    def __init__(
        self, attempt: int, before: int, types: Iterable[str] = (), data: Iterable[Datum] = ()
    ) -> None:
        self.attempt = attempt
        self.before = before
        self.types = list(types)
        self.data = list(data)

    def __len__(self) -> int:
        return len(self.types)

    @property
    def top(self) -> Cursor:
        """The cursor of the last record, or of the one before the first."""
        return Cursor(self.attempt, self.before + len(self.types))

    def records(self, first: int = 0) -> list[Record]:
        """Return the records from the one at the index `first` on."""
        if first == len(self.types) - 1:  # a token that comes alone, in a third of the time
            return [Record(self.top, self.types[first], json_of(self.data[first]))]
        cursors = map(CURSOR, zip(repeat(self.attempt), count(self.before + first + 1)))  # without an end
        data = map(json_of, self.data[first:])
        return list(map(RECORD, zip(cursors, self.types[first:], data)))  # noqa: B905  # the first has no end

    def pieces(self, size: int) -> Sequence["DenseRecords"]:
        """Return them in pieces of at most `size` records."""
        if len(self.types) <= size:
            return [self]
        parts = [(at, slice(at, at + size)) for at in range(0, len(self.types), size)]
        return [
            DenseRecords(self.attempt, self.before + at, self.types[part], self.data[part])
            for at, part in parts
        ]

    def packed(self) -> bytes:
        """Return them as the field of an entry of the log, as `packed` does records."""
        return b"\n".join(
            [
                b"token " + TOKEN % json_of_text(datum)
                if isinstance(datum, str)
                else b"%s %s" % (kind.encode(), datum)
                for kind, datum in zip(self.types, self.data, strict=True)
            ]
        )


def json_of(datum: Datum) -> bytes:
    """Return the JSON of a record."""
    return TOKEN % json_of_text(datum) if isinstance(datum, str) else datum


def packed(records: Iterable[Record]) -> bytes:
    """Return records as the field of an entry of the log: a line each, its type and its JSON."""
    return b"\n".join([b"%s %s" % (record.type.encode(), record.data) for record in records])
