"""What a message gives for a tool's number parameters."""

from typing import Any

import pytest
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool

from gatehouse.models.embedded.arguments import fill
from gatehouse.models.embedded.tool_schema import Tool
from gatehouse.models.embedded.values import Values


def bound(function: Any) -> Tool:
    return Tool.of(convert_to_openai_tool(tool(function)))


def growth(start: float, end: float) -> None:
    """Growth in percent."""


def margin(sale_price: float, purchase_price: float) -> None:
    """Margin in percent."""


def add(a: float, b: float) -> None:
    """Add two numbers."""


def convert(amount: float, source: str, target: str) -> None:
    """Convert an amount."""


def travel(origin: str, destination: str) -> None:
    """Book a train."""


def greet(one: str, other: str) -> None:
    """Greet two."""


def wait(minutes: int) -> None:
    """Wait."""


def order(shares: int, limit: float) -> None:
    """Order shares."""


def options(function: Any, message: str) -> list[dict[str, Any]]:
    return list(fill(bound(function), Values.of(message, ())).options)


class TestEndsOfAChange:
    @pytest.mark.parametrize(
        "message",
        [
            "from 800 to 1000",
            "I put in 800 and got 1000 out",
            "it is worth 1000 now after investing 800",
            "what I sold for 1000 had cost me 800",
            "800 1000",
        ],
    )
    @pytest.mark.parametrize(
        ("function", "start", "end"),
        [(growth, "start", "end"), (margin, "purchase_price", "sale_price")],
    )
    def test_each_gets_its_number(self, message: str, function: Any, start: str, end: str) -> None:
        if message == "800 1000" and function is margin:
            start, end = end, start  # nothing tells: the parameters' own order
        assert options(function, message) == [{start: 800, end: 1000}]

    def test_what_is_counted_is_no_end(self) -> None:
        message = "I bought 10 shares at 120 and sold them at 150"
        assert options(growth, message) == [{"start": 120, "end": 150}]

    def test_the_model_chooses_among_more_numbers_than_needed(self) -> None:
        found = options(growth, "I have 5 and 7 and 9")
        assert {"start": 5, "end": 7} in found
        assert {"start": 7, "end": 5} not in found
        assert len(found) == 3

    def test_of_a_thousand_numbers_the_first_few_count(self) -> None:
        found = options(growth, "1 2 3 4 5 6 7 8 9 " * 100)
        assert len(found) == 15

    def test_the_same_number_twice(self) -> None:
        assert options(growth, "from 800 to 800") == [{"start": 800, "end": 800}]


class TestNames:
    @pytest.mark.parametrize(
        "message",
        [
            "Convert 100 USD to EUR",
            "How much is 100 USD in EUR?",
            "What do I get in EUR for 100 USD?",
            "I need to change 100 into EUR from USD",
        ],
    )
    def test_an_amount_is_of_the_source(self, message: str) -> None:
        assert options(convert, message) == [{"amount": 100, "source": "USD", "target": "EUR"}]

    @pytest.mark.parametrize(
        "message", ["from Milan to Rome", "I go to Rome, I am in Milan", "it goes Milan, Rome"]
    )
    def test_a_journey(self, message: str) -> None:
        assert options(travel, message) == [{"origin": "Milan", "destination": "Rome"}]

    def test_the_model_chooses_where_nothing_is_known(self) -> None:
        assert len(options(greet, "hello to Anna from Tom")) == 2


class TestOtherParameters:
    def test_the_model_chooses_where_nothing_is_known(self) -> None:
        assert options(add, "5 and 7") == [{"a": 5, "b": 7}, {"a": 7, "b": 5}]

    def test_a_unit_decides(self) -> None:
        assert options(wait, "in 15 minutes, at the latest at 9") == [{"minutes": 15}]
        assert options(order, "buy 10 shares for 120 at most") == [{"shares": 10, "limit": 120}]

    def test_a_counted_number_serves_where_there_is_no_other(self) -> None:
        assert options(growth, "from 10 shares to 12 shares") == [{"start": 10, "end": 12}]
        assert options(wait, "nothing") == []
