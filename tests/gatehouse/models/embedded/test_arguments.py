"""What a message gives for a tool's parameters."""

from typing import Any, Literal

import pytest
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool

from gatehouse.models.embedded.arguments import Call, call_of
from gatehouse.models.embedded.tool_schema import Tool


def growth(start: float, end: float) -> None:
    """Growth in percent."""


def margin(sale_price: float, purchase_price: float) -> None:
    """Margin in percent."""


def convert(amount: float, source: str, target: str) -> None:
    """Convert an amount."""


def compare(
    symbols: list[str], period: Literal["1w", "6m", "1y"] = "1y", in_detail: bool | None = None
) -> None:
    """Compare two or more."""


def work_out(expression: str) -> None:
    """Work out an arithmetic expression."""


def search(query: str, day: str) -> None:
    """Search."""


def called(function: Any, message: str) -> Call:
    described = Tool.of(convert_to_openai_tool(tool(function)))
    return call_of(described, message, described.vocabulary)


@pytest.mark.parametrize(
    "message",
    [
        "from 800 to 1000",
        "800, 1000",
        "it is worth 1000 now after investing 800",
        "what I sold for 1000 had cost me 800",
        "I bought 10 shares at 800 and sold them at 1000",
    ],
)
@pytest.mark.parametrize("function", [growth, margin])
def test_what_was_at_first_is_the_start(function: Any, message: str) -> None:
    start, end = ("start", "end") if function is growth else ("purchase_price", "sale_price")
    assert called(function, message).arguments == {start: 800, end: 1000}


def test_what_is_counted_serves_where_there_is_no_other_number() -> None:
    assert called(growth, "from 10 shares to 12 shares").arguments == {"start": 10, "end": 12}


@pytest.mark.parametrize("message", ["Convert 100 USD to EUR", "What do I get in EUR for 100 USD?"])
def test_an_amount_is_of_the_source(message: str) -> None:
    assert called(convert, message).arguments == {"amount": 100, "source": "USD", "target": "EUR"}


def test_a_value_too_few_leaves_all_to_be_asked_for() -> None:
    call = called(growth, "I started with 800")
    assert [parameter.name for parameter in call.missing] == ["start", "end"]
    assert not call.found


def test_a_list_and_a_choice() -> None:
    call = called(compare, "Compare AAPL with Nestlé over the last six months")
    assert call.arguments == {"symbols": ["AAPL", "Nestlé"], "period": "6m"}
    assert [parameter.name for parameter in called(compare, "Compare AAPL").missing] == ["symbols"]


def test_arithmetic_counts_its_numbers() -> None:
    call = called(work_out, "What is 12 * 8?")
    assert call.arguments == {"expression": "12 * 8"}
    assert call.found == 2


def test_a_free_text_is_the_message_and_what_nobody_can_read_is_missing() -> None:
    call = called(search, "find it")
    assert call.arguments == {"query": "find it"}
    assert [parameter.in_words for parameter in call.missing] == ["day"]
