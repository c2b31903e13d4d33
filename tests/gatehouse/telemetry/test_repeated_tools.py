"""A tool that does not say whether it acts, and is called again after a crash, is counted."""

from uuid import uuid4

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from opentelemetry.trace import NoOpTracer

from gatehouse.runs.continuing import pending_calls, pending_in
from gatehouse.runs.metering import UsageMeter
from gatehouse.telemetry.calls import Calls, Tools
from gatehouse.telemetry.metrics import Metrics


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


async def called(metrics: Metrics, tool: str, call_id: str, again: bool = True) -> float:
    """Call a tool in an attempt at a run; return how many are known to have been called before."""
    meter = UsageMeter(again)
    meter.observer = Calls(metrics, NoOpTracer(), "model", Tools({"read", "transfer"}, {"transfer"}))
    await meter.on_tool_start({"name": tool}, "", run_id=uuid4(), tool_call_id=call_id)
    return sum(
        sample.value
        for metric in metrics.tools_repeated.collect()
        for sample in metric.samples
        if sample.name.endswith("_total")
    )


async def test_in_a_later_attempt_from_the_start_any_may_have_been_called(metrics: Metrics) -> None:
    assert await called(metrics, "read", "1", again=False) == 0
    assert await called(metrics, "read", "1") == 1


async def test_after_a_checkpoint_those_are_that_it_has_no_answer_of(metrics: Metrics) -> None:
    pending_calls.set(frozenset({"1"}))
    assert await called(metrics, "read", "2") == 0
    assert await called(metrics, "read", "1") == 1


async def test_one_that_acts_is_the_ledgers_to_look_after(metrics: Metrics) -> None:
    assert await called(metrics, "transfer", "1") == 0


def test_a_call_is_pending_until_it_is_answered() -> None:
    asked = AIMessage(
        "", tool_calls=[{"name": "read", "args": {}, "id": call_id, "type": "tool_call"} for call_id in "ab"]
    )
    messages = [HumanMessage("x"), asked, ToolMessage("y", tool_call_id="a")]
    assert pending_in(messages) == {"b"}
