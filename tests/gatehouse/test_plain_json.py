"""Any value becomes JSON, in one way."""

import json
from collections import OrderedDict, deque, namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import ip_address
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.documents import Document
from langchain_core.messages import AIMessage
from pydantic import BaseModel

from gatehouse.plain_json import Halves, NotJson, from_json, json_bytes, json_text, named, plain, whole_text

Pair = namedtuple("Pair", "left right")


class Colour(Enum):
    RED = "red"


class Price(BaseModel):
    amount: Decimal
    seen: set[int] = set()


@dataclass
class Place:
    name: str
    inside: Any = None


class Array:
    def tolist(self) -> list[float]:
        return [1.5, float("nan")]


class Table:
    """A table as pandas has them."""

    columns = ("a",)

    def to_dict(self, orient: str) -> Any:
        return {"records": [{"a": 1}, {"a": float("nan")}]}[orient]


class Timestamp(datetime):
    """A moment of another library, such as pandas or pendulum."""


class NotATime(datetime):
    """What pandas has where a moment is missing."""

    __hash__ = None  # type: ignore[assignment]  # as NaN it is equal to nothing

    def __eq__(self, _other: object) -> bool:
        return False


FORMS = {
    "a table": (Table(), [{"a": 1}, {"a": None}]),
    "a moment of a subclass": (Timestamp(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
    "a moment that is missing": ([NotATime(2026, 1, 2)], [None]),
    "nothing as a whole": (None, None),
    "not a number": ([float("nan"), float("inf"), float("-inf")], [None, None, None]),
    "an integer over 64 bits": ({"n": 2**70, "m": -(2**70)}, {"n": 2**70, "m": -(2**70)}),
    "half a character": ("a\ud83d!", "a�!"),
    "a character in two halves": ("\ud83d\ude00", "😀"),
    "half a character in a key": ({"\ud83d": 1}, {"�": 1}),
    "a set": ({"b", "a", "c"}, ["a", "b", "c"]),
    "a set of several types": (frozenset({2, "1"}), ["1", 2]),
    "bytes of text": (b"caf\xc3\xa9", "café"),
    "bytes": (b"\xff\x00", "/wA="),
    "a decimal": (Decimal("0.10"), "0.10"),
    "a decimal that is none": (Decimal("NaN"), None),
    "dates": (
        [datetime(2026, 11, 30, 8, tzinfo=UTC), date(2026, 11, 30), time(8, 30)],
        ["2026-11-30T08:00:00+00:00", "2026-11-30", "08:30:00"],
    ),
    "a time span": (timedelta(hours=1), "PT1H"),
    "an id": (UUID(int=1), str(UUID(int=1))),
    "a path and an address": ([PurePosixPath("/a"), ip_address("::1")], ["/a", "::1"]),
    "an enum, as a key too": ({Colour.RED: Colour.RED}, {"red": "red"}),
    "odd keys": (
        {1: "a", None: "b", (1, 2): "d", 1.5: "e", date(2026, 1, 1): "f"},
        {"1": "a", "null": "b", "[1, 2]": "d", "1.5": "e", "2026-01-01": "f"},
    ),
    "tuples and queues": ((Pair(1, 2), deque([3]), range(2)), [[1, 2], [3], [0, 1]]),
    "a mapping": (OrderedDict(a=1), {"a": 1}),
    "a model": (Price(amount=Decimal("1.5"), seen={3, 1}), {"amount": "1.5", "seen": [1, 3]}),
    "a dataclass that holds one": (
        Place("x", Price(amount=Decimal(2))),
        {"name": "x", "inside": {"amount": "2", "seen": []}},
    ),
    "an array": ({"values": Array()}, {"values": [1.5, None]}),
}


@pytest.mark.parametrize(("value", "expected"), FORMS.values(), ids=FORMS.keys())
def test_a_value_has_its_form(value: Any, expected: Any) -> None:
    assert json.loads(json_bytes(value)) == expected
    assert plain(value) == expected


def test_messages_and_documents_inside_an_object_are_as_langserve_writes_them() -> None:
    document = Document("text", metadata={"when": date(2026, 1, 1)})
    told = json.loads(json_bytes({"docs": [document], "answer": AIMessage("yes")}))
    assert told["docs"][0]["page_content"] == "text"
    assert told["docs"][0]["type"] == "Document"
    assert told["docs"][0]["metadata"] == {"when": "2026-01-01"}
    assert told["answer"]["type"] == "ai"


@pytest.mark.parametrize(
    "end", ["\x85", "\u2028", "\u2029", "\n", "\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e"]
)
def test_json_is_one_line_for_every_reader(end: str) -> None:
    written = json_text({"é" + end: [end, Decimal(1)]})
    assert written.splitlines() == [written]
    assert json.loads(written) == {"é" + end: [end, "1"]}


@pytest.mark.parametrize("value", [object(), len, ValueError("secret"), iter([1])])
def test_what_has_no_form_is_refused_without_its_value(value: object) -> None:
    with pytest.raises(NotJson, match=type(value).__name__) as refusal:
        json_bytes({"a": [value]})
    assert "secret" not in str(refusal.value)


def test_what_is_only_shown_names_what_has_no_form() -> None:
    assert json.loads(json_bytes({"a": object()}, named)) == {"a": "<object>"}


def test_a_value_that_holds_itself_ends() -> None:
    value: list[Any] = [1]
    value += [value, value]
    with pytest.raises(NotJson):
        json_bytes(value)
    assert plain(value, named) == [1, "<list>", "<list>"]


def test_what_is_too_deep_is_cut() -> None:
    value: Any = "bottom"
    for _ in range(5000):
        value = [value]
    with pytest.raises(NotJson):
        json_bytes(value)
    assert b"<list>" in json_bytes(value, named)


def test_a_number_of_too_many_digits_is_refused() -> None:
    with pytest.raises(NotJson):
        json_bytes(10**5000)


@pytest.mark.parametrize("value", [2**70, {"a": [-(2**65), 1.5, "1" * 30]}, "x" * 30])
def test_integers_are_read_exactly(value: Any) -> None:
    assert from_json(json_bytes(value)) == value
    assert from_json(json_text(value)) == value


def test_half_a_character_that_is_escaped_is_read() -> None:
    assert from_json('{"a":"\\ud83d","b":"\\uD83D\\uDE00"}') == {"a": "�", "b": "😀"}


@pytest.mark.parametrize("data", ["{", "", '{"a":1'])
def test_what_is_no_json_is_no_value(data: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(data)


HALVES = st.characters(categories=["Cs"])
TEXTS = st.text(st.one_of(st.characters(exclude_categories=[]), HALVES))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_whatever_a_model_says_is_json_and_stays_as_it_is_told(value: Any) -> None:
    written = json_text(value)
    assert written.splitlines() == [written]
    told = json.loads(written, parse_constant=pytest.fail)
    assert told == from_json(written) == plain(value)
    assert json_text(told) == written or "e" in written  # floats may be written in two ways


@given(TEXTS, st.lists(st.integers(0, 20)))
def test_text_that_comes_in_pieces_is_the_text_that_comes_whole(text: str, cuts: list[int]) -> None:
    halves, places = Halves(), sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    pieces = [halves.add(text[start:end]) for start, end in pairwise(places)]
    whole = "".join([*pieces, halves.rest()])
    whole.encode()
    assert whole == whole_text(text)
