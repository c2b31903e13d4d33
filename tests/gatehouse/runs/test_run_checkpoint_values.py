"""Checkpoints of what models and tools say."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.types import Send

from gatehouse.runs.checkpoints.serializing import CheckpointSerializer

BIG = 2**70


@dataclass
class State:
    count: int


def again(value: Any) -> Any:
    serializer = CheckpointSerializer()
    return serializer.loads_typed(serializer.dumps_typed(value))


def test_an_integer_of_any_size_is_the_same_number() -> None:
    message = AIMessage("", tool_calls=[{"name": "t", "args": {"n": BIG, "m": [1, BIG]}, "id": "1"}])
    kept = again({"messages": [message]})["messages"][0]
    assert kept.tool_calls[0]["args"] == {"n": Decimal(BIG), "m": [1, Decimal(BIG)]}


@pytest.mark.parametrize("value", [(BIG, {"a": BIG}), -BIG])
def test_it_is_kept_wherever_it_stands(value: Any) -> None:
    assert again(value) is not None


def test_where_a_graph_goes_next_is_kept() -> None:
    sent = again([Send("tools", {"args": {"n": BIG}})])[0]
    assert (sent.node, sent.arg) == ("tools", {"args": {"n": Decimal(BIG)}})


def test_an_artifact_that_cannot_be_kept_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    message = ToolMessage("result", tool_call_id="1", name="t", artifact=object())
    kept = again([message])[0]
    assert (kept.content, kept.artifact) == ("result", None)


def test_one_that_can_be_is_kept_beside_it() -> None:
    messages = [
        ToolMessage("a", tool_call_id="1", artifact=object()),
        ToolMessage("b", tool_call_id="2", artifact={"x": 1}),
    ]
    assert [message.artifact for message in again(messages)] == [None, {"x": 1}]


def test_what_else_cannot_be_kept_is_an_error() -> None:
    with pytest.raises(TypeError):
        again({"state": object()})
