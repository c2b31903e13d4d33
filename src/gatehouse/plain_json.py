"""Any value as JSON: for the run log, the stores and every wire, in one way.

What JSON has no word for becomes what JSON has: half of a character that needs two becomes U+FFFD, NaN and
the infinities null (as in JavaScript), an integer keeps its digits whatever its size, a set is a sorted list,
bytes are text or else base64, a `Decimal` is its digits as text, dates are RFC 3339, arrays and tables are
lists, objects of pydantic and dataclasses are objects, keys are text. What is left is refused by its type's
name.

The result is UTF-8 on one line for everybody: what Python's `str.splitlines` takes for the end of one beside
LF and CR (U+0085, U+2028, U+2029) is escaped, since HTTP clients cut event streams there.
"""

import base64
import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from datetime import date, time
from decimal import Decimal
from enum import Enum
from functools import partial
from pathlib import PurePath
from typing import Any, cast
from uuid import UUID

import orjson
from pydantic import BaseModel
from pydantic_core import to_jsonable_python

DEEPEST = 100  # levels of lists and objects, each of them four calls of Python's thousand
MOST_BITS = 14_000  # of an integer: Python writes one of 4,300 digits, and refuses a longer one
LONG_NUMBER = re.compile(rb"\d{19}")
HALF = re.compile("[\ud800-\udfff]")
LINE_ENDS = ((b"\xc2\x85", b"\\u0085"), (b"\xe2\x80\xa8", b"\\u2028"), (b"\xe2\x80\xa9", b"\\u2029"))

Other = Callable[[Any], Any]


class NotJson(TypeError):
    """A value that JSON has no form for; the message names its type, and never the value."""


def refused(value: object) -> Any:
    """Raise NotJson for a value that has no form in JSON."""
    raise NotJson(f"a value of the type {type(value).__name__} has no form in JSON")


def named(value: object) -> Any:
    """Return in place of a value that has no form in JSON what it is: for what is only shown or kept."""
    return f"<{type(value).__name__}>"


def json_bytes(value: object, other: Other = refused) -> bytes:
    """Return `value` as JSON on one line, in no more memory than its length.

    `other` gives the JSON for what has none; by default it raises NotJson. orjson 3.13 leaves its results in
    the 4 KiB that it wrote them into: 4,121 bytes a token, 42 when it is copied, and the two take less time
    than keeping the larger one (measured).
    """
    try:
        written = orjson.dumps(value)
    except TypeError:  # the way of nearly every value takes a fifth of the time of the careful one
        careful = json.dumps(plain(value, other), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        written = careful.encode()
    return bytes(memoryview(written)) if written.isascii() else on_one_line(written)


def json_of_text(text: str) -> bytes:
    """Return whole text as `json_bytes` does, to be written into something larger: it is not copied."""
    written = orjson.dumps(text)
    return written if written.isascii() else on_one_line(written)


def json_text(value: object, other: Other = refused) -> str:
    """Return `json_bytes` as text."""
    return json_bytes(value, other).decode()


def from_json(data: bytes | str) -> Any:
    """Return what JSON says, integers exactly. Raises orjson.JSONDecodeError, a ValueError.

    orjson reads an integer over 64 bits as a float, and refuses half a character that is escaped.
    """
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    if LONG_NUMBER.search(raw) is None:
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            if b"\\ud" not in raw.lower():
                raise
    return plain(json.loads(raw.decode("utf-8", "replace")))


def plain(value: Any, other: Other = refused) -> Any:
    """Return `value` in terms of dict, list, str, int, float, bool and None, as `json_bytes` writes it."""
    return Plain(other).of(value)


def whole_text(text: str) -> str:
    """Return text with the halves of its characters joined, and U+FFFD for one without its other half."""
    if text.isascii() or HALF.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


class Halves:
    """Joins what a stream of text cut in the middle of a character: what `add` returns is whole.

    Half a character waits for the next piece; `rest` is what still waits when no more comes.
    """

    def __init__(self) -> None:
        self._waiting = ""

    @property
    def waiting(self) -> bool:
        """Whether half a character waits for the next piece."""
        return bool(self._waiting)

    def add(self, piece: str) -> str:
        if piece.isascii() and not self._waiting:
            return piece
        text, self._waiting = self._waiting + piece, ""
        if "\ud800" <= text[-1:] <= "\udbff":
            text, self._waiting = text[:-1], text[-1]
        return whole_text(text)

    def rest(self) -> str:
        waiting, self._waiting = self._waiting, ""
        return whole_text(waiting)


class Plain:
    """Turns a value into what JSON has. `other` is asked for the rest, cycles and what is too deep."""

    def __init__(self, other: Other) -> None:
        self._other = other
        self._open: set[int] = set()  # the ids of what is being gone through: a value that holds itself ends

    def of(self, value: Any) -> Any:
        if value is None or value is True or value is False:
            return value
        for kinds, form in FORMS:
            if isinstance(value, kinds):
                return form(self, value)
        return self._inside(value, self._unknown)

    def text(self, value: str) -> str:
        return whole_text(str(value))

    def integer(self, value: int) -> Any:
        return int(value) if value.bit_length() <= MOST_BITS else self._other(value)

    def number(self, value: float) -> float | None:
        return float(value) if math.isfinite(value) else None

    def decimal(self, value: Decimal) -> str | None:
        return str(value) if value.is_finite() else None

    def raw(self, value: bytes | bytearray | memoryview) -> str:
        held = bytes(value)
        try:
            return held.decode()
        except UnicodeDecodeError:
            return base64.b64encode(held).decode()

    def moment(self, value: date | time) -> str | None:
        """Return the moment, also of a subclass such as pandas' and pendulum's; NaT is not itself."""
        return value.isoformat() if value == value else None  # noqa: PLR0124  # as is asked of NaN

    def name(self, value: PurePath | UUID) -> str:
        return whole_text(str(value))

    def enum(self, value: Enum) -> Any:
        return self._inside(value, lambda member: self.of(member.value))

    def mapping(self, value: Mapping[Any, Any]) -> Any:
        return self._inside(value, lambda held: {self._key(name): self.of(held[name]) for name in held})

    def sequence(self, value: Sequence[Any]) -> Any:
        return self._inside(value, lambda held: [self.of(item) for item in held])

    def members(self, value: Set[Any]) -> Any:
        # in an order that is the same in every process, unlike a set's own
        return self._inside(value, lambda held: sorted(map(self.of, held), key=json.dumps))

    def model(self, value: BaseModel) -> Any:
        # its warnings would print what the value holds
        return self._inside(value, lambda held: self.of(held.model_dump(warnings=False)))

    def _unknown(self, value: Any) -> Any:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            shown = [field.name for field in dataclasses.fields(value) if not field.name.startswith("_")]
            return {name: self.of(getattr(value, name)) for name in shown}  # as orjson shows one
        if (rows := rows_of(value)) is not None:
            return self.of(rows())
        if isinstance(value, Iterator):  # to read it would take it from whoever it is for
            return self._other(value)
        try:  # paths, addresses, time spans, patterns and whatever else pydantic has a form for
            told = to_jsonable_python(value)
        except (ValueError, TypeError):
            return self._other(value)
        return self.of(told)

    def _inside(self, value: Any, form: Callable[[Any], Any]) -> Any:
        if id(value) in self._open or len(self._open) >= DEEPEST:
            return self._other(value)
        self._open.add(id(value))
        try:
            return form(value)
        finally:
            self._open.discard(id(value))

    def _key(self, name: object) -> str:
        if isinstance(name, str) and not isinstance(name, Enum):
            return self.text(name)
        told = self.of(name)
        return told if isinstance(told, str) else json.dumps(told, ensure_ascii=False)


FORMS: tuple[tuple[Any, Callable[[Plain, Any], Any]], ...] = (
    (Enum, Plain.enum),
    (str, Plain.text),
    (int, Plain.integer),
    (float, Plain.number),
    (Mapping, Plain.mapping),
    ((bytes, bytearray, memoryview), Plain.raw),
    (Sequence, Plain.sequence),
    (BaseModel, Plain.model),
    ((date, time), Plain.moment),
    (Decimal, Plain.decimal),
    ((PurePath, UUID), Plain.name),
    (Set, Plain.members),
)


def rows_of(value: Any) -> Callable[[], Any] | None:
    """Return what makes a list of an array or a table of numpy, pandas or polars, None of anything else."""
    if isinstance(value, type):
        return None
    if callable(listed := getattr(value, "tolist", None) or getattr(value, "to_dicts", None)):
        return cast("Callable[[], Any]", listed)
    if hasattr(value, "columns") and callable(records := getattr(value, "to_dict", None)):
        return partial(records, orient="records")
    return None


def on_one_line(written: bytes) -> bytes:
    for end, escaped in LINE_ENDS:
        if end in written:
            written = written.replace(end, escaped)
    return bytes(memoryview(written))
