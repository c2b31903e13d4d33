"""Functions that declare no types, as people write them, and what they take their argument for."""

from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableLambda, RunnableParallel, RunnablePassthrough

from gatehouse.registry.shapes.functions import takes_text
from gatehouse.registry.shapes.shape import shape_of


def find(_words: Any, k: int) -> list[Any]:
    return []


def titled(words):  # type: ignore[no-untyped-def]  # as in a notebook
    return words.title()


def merged(value):  # type: ignore[no-untyped-def]
    return {**value, "n": 1}


async def greeted(name):  # type: ignore[no-untyped-def]
    return f"hi {name}"


class Service:
    def shout(self, words):  # type: ignore[no-untyped-def]
        return words.upper()


TEXTS = [
    titled,
    greeted,
    Service().shout,
    lambda words: words.upper(),
    lambda query: find(query, k=1),
    lambda words: {"messages": [("user", words)]},
    lambda words: [HumanMessage(words)],
    lambda words: Document(page_content=words),
]
OTHERS = [
    merged,
    print,
    lambda value: value["input"].upper(),
    lambda value: value.get("input"),
    lambda value: value | {"n": 1},
    lambda value: find(value, k=1),
    lambda _: "always",
    lambda: "nothing",
    lambda question: question["input"],
]


@pytest.mark.parametrize("function", TEXTS)
def test_a_text(function: Any) -> None:
    assert takes_text(RunnableLambda(function) | str)


@pytest.mark.parametrize("function", OTHERS)
def test_no_text(function: Any) -> None:
    assert not takes_text(RunnableLambda(function))


def test_two_functions_on_one_line_are_told_apart() -> None:
    one, other = RunnableLambda(lambda it: it.upper()), RunnableLambda(lambda it: it["a"])
    assert takes_text(one)
    assert not takes_text(other)


def test_steps_that_stand_side_by_side_have_to_agree() -> None:
    text, value = RunnableLambda(titled), RunnableLambda(merged)
    assert takes_text(RunnableParallel(title=text, whole=RunnablePassthrough()))
    assert not takes_text(RunnableParallel(title=text, merged=value))


@pytest.mark.parametrize(
    ("annotation", "said"), [(str | None, "hi"), (dict[str, Any], {"input": "hi"}), (Any, {"input": "hi"})]
)
def test_a_type_that_is_declared_says_what_a_text_becomes(annotation: Any, said: Any) -> None:
    taking = RunnableLambda(lambda value: value).with_types(input_type=annotation)
    assert shape_of(taking, "it").said("hi") == said
