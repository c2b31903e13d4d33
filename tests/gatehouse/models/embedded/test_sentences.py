"""Tool results as sentences."""

import json
from typing import Any

import pytest
from langchain_core.messages import ToolMessage

from gatehouse.models.embedded.sentences import told


@pytest.mark.parametrize(
    ("found", "sentences"),
    [
        ({"expression": "6*7", "result": 42}, "The result is 42. This is for expression 6*7."),
        (
            {"currency": "EUR", "start_day": "2026-01-02", "end_day": "2026-02-02", "start_value": 1000.5, "end_value": 1200, "change_percent": 20.0, "series": list(range(60))},
            "The value went from 1,000.5 to 1,200 and the change is 20%. This is for currency EUR and from 2026-01-02 to 2026-02-02.",
        ),
        (
            {"best": {"symbol": "AAPL", "name": "Apple", "price": None}, "rows": [{"id": "A", "done": True}, {"id": "B", "done": False}]},
            "The best is Apple (AAPL). The rows are A: done yes; B: done no.",
        ),
        ({"city": "Rome", "days": ["sunny", "cold"]}, "The city is Rome and the days is sunny and cold."),
        ([1, 2, 3], "The result is 1, 2 and 3."),
        (0.00031, "The result is 0.00031."),
        ([], "Nothing was found."),
    ],
)  # fmt: skip
def test_figures_come_first(found: Any, sentences: str) -> None:
    assert told(ToolMessage(json.dumps(found), name="look_up", tool_call_id="1")) == sentences


def test_a_text_is_told_as_it_is() -> None:
    assert told(ToolMessage("It is sunny.", name="get_weather", tool_call_id="1")) == "It is sunny."


def test_a_failure_says_whose_it_is() -> None:
    failed = ToolMessage("This divides by zero.", name="calculator", tool_call_id="1", status="error")
    assert told(failed) == "The tool calculator could not do that: This divides by zero."
