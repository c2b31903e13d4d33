"""What the wording of a message tells."""

import pytest

from gatehouse.models.embedded.text.wording import asks_in_general, asks_what_there_is, lists_things, stems_in


@pytest.mark.parametrize(
    "message",
    [
        "Is it a good idea to invest during a recession?",
        "Is it safe to keep money in a bank?",
        "What is a stock?",
        "How do I open an account?",
    ],
)
def test_asking_in_general(message: str) -> None:
    assert asks_in_general(message)


@pytest.mark.parametrize("message", ["Is my portfolio up?", "How do I see my holdings?", "Compare A and B"])
def test_asking_in_particular(message: str) -> None:
    assert not asks_in_general(message)


@pytest.mark.parametrize(
    "message",
    ["What do I hold?", "What's in my basket?", "Which parcels do I have?", "List my mails", "What am I on?"],
)
def test_asking_what_there_is(message: str) -> None:
    assert asks_what_there_is(message)


@pytest.mark.parametrize("message", ["How is my portfolio doing?", "What did I earn?", "What is my name?"])
def test_asking_something_else(message: str) -> None:
    assert not asks_what_there_is(message)


def test_a_tool_that_lists_things() -> None:
    assert lists_things("list appointments")
    assert not lists_things("get listing")


def test_forms_of_a_word_are_the_same() -> None:
    assert len(stems_in("hold holds holding holdings")) == 1
    assert len(stems_in("compare compared comparison compares")) == 1
    assert len(stems_in("car cars")) == 1
    assert stems_in("the a of") == frozenset()
