"""The tokens that a run has used."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tools import tool

from gatehouse.models.errors import ModelCutOff
from gatehouse.runs.events import Usage
from gatehouse.runs.lifecycle.outcome import added, plus_usage
from gatehouse.runs.metering import UsageMeter, total
from gatehouse.runs.unobserved import Unobserved

COUNTS = {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}


async def begun(meter: UsageMeter, text: str, model: str = "mini") -> Any:
    run_id = uuid4()
    await meter.on_chat_model_start(
        {}, [[HumanMessage(text)]], run_id=run_id, metadata={"ls_model_name": model}
    )
    return run_id


async def ended(meter: UsageMeter, run_id: Any, **response_metadata: str) -> None:
    message = AIMessage("answer", usage_metadata=COUNTS, response_metadata=response_metadata)
    await meter.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]), run_id=run_id)


class TestUsageMeter:
    async def test_counts_by_the_name_that_the_model_gives_itself(self) -> None:
        meter = UsageMeter()
        await ended(meter, await begun(meter, "hi"))
        await ended(meter, await begun(meter, "hi"), model_name="mini-2026")
        await ended(meter, await begun(meter, "hi"), model_name="mini-2026")
        assert meter.settled("") == {"mini": Usage(3, 4, 7), "mini-2026": Usage(6, 8, 14)}
        assert meter.usage == Usage(9, 12, 21)

    async def test_estimates_a_call_that_was_cut_off(self) -> None:
        meter = UsageMeter()
        run_id = await begun(meter, "x" * 40)
        await meter.on_llm_error(asyncio.CancelledError(), run_id=run_id)
        assert meter.settled("y" * 100) == {"mini": Usage(10, 25, 35)}

    async def test_estimates_what_several_calls_have_said_together_once(self) -> None:
        meter = UsageMeter()
        for model in ("mini", "large"):
            await begun(meter, "x" * 40, model)
        assert meter.settled("y" * 100) == {"mini": Usage(10, 25, 35), "large": Usage(10, 0, 10)}

    async def test_does_not_count_twice_what_a_finished_call_said(self) -> None:
        meter = UsageMeter()
        await ended(meter, await begun(meter, "hi"))
        await begun(meter, "x" * 4)
        assert meter.settled("y" * 24) == {"mini": Usage(4, 6, 10)}

    async def test_counts_nothing_for_a_call_that_failed_by_itself(self) -> None:
        meter = UsageMeter()
        await meter.on_llm_error(ValueError(), run_id=await begun(meter, "x" * 40))
        assert meter.settled("") == {}

    async def test_estimates_a_call_whose_answer_came_and_cannot_be_used(self) -> None:
        meter = UsageMeter()
        await meter.on_llm_error(ModelCutOff("?"), run_id=await begun(meter, "x" * 40))
        assert meter.settled("y" * 100) == {"mini": Usage(10, 25, 35)}

    async def test_knows_a_model_that_takes_plain_text(self) -> None:
        meter = UsageMeter()
        await meter.on_llm_start({}, ["x" * 8], run_id=uuid4(), metadata=None)
        assert meter.settled("") == {"": Usage(2, 0, 2)}


class Tools(Unobserved):
    """Hears how calls of tools end."""

    def __init__(self) -> None:
        self.began = asyncio.Event()
        self.errors: list[str] = []

    def tool_began(self, call: UUID, tool: str, call_id: str) -> None:
        self.began.set()

    def tool_ended(self, call: UUID, error: str) -> None:
        self.errors.append(error)


class TestToolCalls:
    async def test_one_that_fails_is_told(self) -> None:
        @tool
        async def failing() -> str:
            """Fail."""
            raise LookupError

        meter = UsageMeter()
        meter.observer = tools = Tools()
        with pytest.raises(LookupError):
            await failing.ainvoke({}, {"callbacks": [meter]})
        assert tools.errors == ["LookupError"]

    async def test_one_that_is_cut_off_has_not_failed(self) -> None:
        @tool
        async def endless() -> str:
            """Wait."""
            await asyncio.Event().wait()
            return ""

        meter = UsageMeter()
        meter.observer = tools = Tools()
        call = asyncio.create_task(endless.ainvoke({}, {"callbacks": [meter]}))
        await tools.began.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert tools.errors == []


def test_total_of_no_model_is_nothing() -> None:
    assert total({}) == Usage()


def test_what_a_run_has_used_since_it_waited_comes_on_top() -> None:
    before = {"mini": Usage(3, 4, 7), "large": Usage(1, 1, 2)}
    assert added(before, {"mini": Usage(1, 2, 3), "new": Usage(5, 6, 11)}, plus_usage) == {
        "mini": Usage(4, 6, 10), "large": Usage(1, 1, 2), "new": Usage(5, 6, 11),
    }  # fmt: skip
