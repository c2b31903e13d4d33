"""The guarded model: what it asks, when it asks again, whom else it asks. Only the models are made up."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import RunnableBinding, RunnableLambda
from langchain_core.tools import BaseTool, tool
from provider_server import Told
from pydantic import BaseModel
from structlog.testing import capture_logs

from chains import summarize
from gatehouse.models.errors import (
    ContentFiltered,
    ModelBusy,
    ModelCircuitOpen,
    ModelMisconfigured,
    ModelRefused,
    ModelServerFailed,
    ModelTimedOut,
    ModelUnreachable,
)
from gatehouse.models.guarded import calls as model_calls
from gatehouse.models.guarded.calls import Candidate, Patience
from gatehouse.models.guarded.circuit import Circuit
from gatehouse.models.guarded.model import GuardedChatModel
from gatehouse.models.scripted.chat import ScriptedChatModel, ScriptedFailure
from gatehouse.registry.entry import Parts

DOWN, BUSY = ModelUnreachable("?"), ModelBusy("?")

Turn = Sequence[Any]  # what one call does: texts are said, exceptions raised, numbers waited for in seconds


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_calls, "FIRST_PAUSE", 0.001)


class Planned(BaseChatModel):
    """A model whose calls do what was planned for them, in order; the last plan is for all further ones."""

    turns: list[Turn]
    asked: list[dict[str, Any]] = []

    @property
    def _llm_type(self) -> str:
        return "planned"

    def bind_tools(self, tools: Any, *, tool_choice: Any = None, **kwargs: Any) -> Any:
        return self.bind(tools=[f"{self._llm_type}:{item.name}" for item in tools], **kwargs)

    def _next(self, options: dict[str, Any]) -> Turn:
        self.asked.append(options)
        return self.turns.pop(0) if len(self.turns) > 1 else self.turns[0]

    def _stream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[Any]:
        for step in self._next(kwargs):
            if isinstance(step, float):
                time.sleep(step)
            else:
                yield chunk_of(step)

    async def _astream(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[Any]:
        for step in self._next(kwargs):
            if isinstance(step, float):
                await asyncio.sleep(step)
            else:
                yield chunk_of(step)

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return result_of(self._next(kwargs))

    async def _agenerate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        turn = self._next(kwargs)
        await asyncio.sleep(sum(step for step in turn if isinstance(step, float)))
        return result_of([step for step in turn if not isinstance(step, float)])


class InOnePiece(BaseChatModel):
    """A model that does not stream."""

    @property
    def _llm_type(self) -> str:
        return "in one piece"

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        return result_of(["all", " at", " once"])


def chunk_of(step: Any) -> ChatGenerationChunk:
    if isinstance(step, Exception):
        raise step
    if isinstance(step, ChatGenerationChunk):
        return step
    return ChatGenerationChunk(message=AIMessageChunk(content=step))


def result_of(turn: Turn) -> ChatResult:
    chunks = [chunk_of(step) for step in turn]
    info = next((chunk.generation_info for chunk in chunks if chunk.generation_info), None)
    message = AIMessage("".join(str(chunk.message.content) for chunk in chunks))
    return ChatResult(generations=[ChatGeneration(message=message, generation_info=info)])


FILTERED = ChatGenerationChunk(
    message=AIMessageChunk(content=""), generation_info={"finish_reason": "content_filter"}
)


def guarded(
    *models: BaseChatModel,
    watch: Told | None = None,
    failures: int = 5,
    cooldown: float = 600,
    **patience: Any,
) -> GuardedChatModel:
    told = watch or Told()
    candidates = [
        Candidate(
            f"model {number}",
            model,
            Circuit(failures, cooldown, changed=told.circuit if number == 0 else lambda _: None),
            Patience(**patience),
        )
        for number, model in enumerate(models)
    ]
    return GuardedChatModel.of(candidates, told)


def planned(*turns: Turn) -> Planned:
    return Planned(turns=list(turns), asked=[])


async def streaming(model: GuardedChatModel) -> list[str]:
    return [str(chunk.content) async for chunk in model.astream("?") if chunk.content]


async def whole(model: GuardedChatModel) -> list[str]:
    return [str((await model.ainvoke("?")).content)]


async def streaming_in_thread(model: GuardedChatModel) -> list[str]:
    return await asyncio.to_thread(
        lambda: [str(chunk.content) for chunk in model.stream("?") if chunk.content]
    )


async def whole_in_thread(model: GuardedChatModel) -> list[str]:
    return [str((await asyncio.to_thread(model.invoke, "?")).content)]


Ask = Callable[[GuardedChatModel], Any]
STREAMING = pytest.mark.parametrize("ask", [streaming, streaming_in_thread])
EVERY_WAY = pytest.mark.parametrize("ask", [streaming, whole, streaming_in_thread, whole_in_thread])


class TestAsking:
    @EVERY_WAY
    async def test_a_model_that_answers_is_asked_once(self, ask: Ask) -> None:
        model, told = planned(["a", "b"]), Told()
        assert "".join(await ask(guarded(model, watch=told))) == "ab"
        assert len(model.asked) == 1
        assert told.causes == []

    @EVERY_WAY
    async def test_it_is_asked_again_while_nothing_was_shown(self, ask: Ask) -> None:
        model, told = planned([DOWN], [BUSY], ["fine"]), Told()
        assert await ask(guarded(model, watch=told)) == ["fine"]
        assert len(model.asked) == 3
        assert told.causes == ["connection", "rate_limit"]

    @EVERY_WAY
    async def test_no_more_than_it_may_be(self, ask: Ask) -> None:
        model = planned([DOWN])
        with pytest.raises(ModelUnreachable):
            await ask(guarded(model, retries=2))
        assert len(model.asked) == 3

    @STREAMING
    async def test_never_after_the_first_token(self, ask: Ask) -> None:
        model = planned(["a", DOWN])
        with pytest.raises(ModelUnreachable):
            await ask(guarded(model, planned(["b"])))
        assert len(model.asked) == 1

    @STREAMING
    async def test_what_says_nothing_is_not_a_token(self, ask: Ask) -> None:
        model = planned(["", DOWN], ["", "fine"])
        assert await ask(guarded(model)) == ["fine"]

    @STREAMING
    async def test_an_answer_of_nothing_is_one(self, ask: Ask) -> None:
        model = planned(["", ""])
        assert await ask(guarded(model)) == []
        assert len(model.asked) == 1

    @EVERY_WAY
    @pytest.mark.parametrize("error", [ModelRefused("?"), ContentFiltered("?")])
    async def test_what_is_refused_is_asked_nobody_else(self, ask: Ask, error: Exception) -> None:
        model, other = planned([error]), planned(["b"])
        with pytest.raises(type(error)):
            await ask(guarded(model, other))
        assert (len(model.asked), len(other.asked)) == (1, 0)

    @EVERY_WAY
    async def test_what_is_not_the_models_failure_passes_as_it_is(self, ask: Ask) -> None:
        told = Told()
        with pytest.raises(ZeroDivisionError):
            await ask(guarded(planned([ZeroDivisionError()]), planned(["b"]), watch=told))
        assert told.causes == ["other"]

    @pytest.mark.parametrize(
        ("error", "said"),
        [(ModelBusy("60 calls a minute"), "60 calls a minute"), (ContentFiltered("Bonds"), "")],
    )
    async def test_a_provider_s_words_are_logged_where_they_can_quote_nobody(
        self, error: Exception, said: str
    ) -> None:
        with capture_logs() as logs, pytest.raises(type(error)):
            await streaming(guarded(planned([error]), retries=0))
        told = [line for line in logs if line["log_level"] != "debug"]
        assert [line["said"] for line in told] == [said]

    async def test_a_provider_that_asks_for_patience_beyond_ours_is_not_asked_again(self) -> None:
        model = planned([ModelBusy("?", retry_after=60)])
        with pytest.raises(ModelBusy) as failed:
            await streaming(guarded(model))
        assert failed.value.retry_after == 60
        assert len(model.asked) == 1

    async def test_a_provider_is_asked_no_sooner_than_it_says(self) -> None:
        model = planned([ModelBusy("?", retry_after=0.2)], ["fine"])
        began = time.monotonic()
        assert await streaming(guarded(model)) == ["fine"]
        assert time.monotonic() - began >= 0.2

    async def test_an_answer_that_is_withheld_in_the_middle_is_no_answer(self) -> None:
        with pytest.raises(ContentFiltered):
            await streaming(guarded(planned(["a", FILTERED])))
        with pytest.raises(ContentFiltered):
            await whole(guarded(planned(["a", FILTERED])))


class TestFallback:
    @EVERY_WAY
    @pytest.mark.parametrize("error", [DOWN, BUSY, ModelServerFailed("?"), ModelMisconfigured("?")])
    async def test_the_second_model_answers_for_the_first(self, ask: Ask, error: Exception) -> None:
        assert await ask(guarded(planned([error]), planned(["second"]), retries=1)) == ["second"]

    async def test_when_both_fail_it_is_the_last_failure(self) -> None:
        with pytest.raises(ModelMisconfigured):
            await streaming(guarded(planned([DOWN]), planned([ModelMisconfigured("?")])))

    async def test_each_is_told_of_its_tools_in_its_own_words(self) -> None:
        @tool
        def look_up(name: str) -> str:
            """Look a name up."""
            return name

        class Other(Planned):
            @property
            def _llm_type(self) -> str:
                return "other"

        first, second = planned([DOWN]), Other(turns=[["fine"]], asked=[])
        bound = guarded(first, second, retries=0).bind_tools([look_up])
        assert (await bound.ainvoke("?")).content == "fine"
        assert first.asked == [{"tools": ["planned:look_up"]}]
        assert second.asked == [{"tools": ["other:look_up"]}]

    async def test_a_provider_that_binds_tools_in_an_unknown_way_is_refused(self) -> None:
        class Odd(Planned):
            def bind_tools(self, tools: Sequence[BaseTool], **kwargs: Any) -> Any:  # type: ignore[override]
                return RunnableLambda(lambda _: "?")

        with pytest.raises(TypeError, match="model 0: bind_tools returned RunnableLambda"):
            guarded(Odd(turns=[], asked=[])).bind_tools([])

    async def test_data_of_a_schema_comes_from_whoever_answers(self) -> None:
        model = guarded(planned_for_data(DOWN), ScriptedChatModel(), retries=0)
        chain = summarize.build(Parts(model, []))
        request = {"text": "one two three", "length": "short"}
        assert isinstance(await chain.ainvoke(request), summarize.Summary)
        assert [type(part) async for part in chain.astream(request)] == [summarize.Summary]
        assert isinstance(await asyncio.to_thread(chain.invoke, request), summarize.Summary)


def planned_for_data(error: Exception) -> BaseChatModel:
    class Failing(ScriptedChatModel):
        def _events(self, messages: Any, settings: Any) -> Iterator[Any]:
            raise error

    return Failing()


class TestCircuit:
    async def test_calls_are_refused_at_once_while_it_is_open(self) -> None:
        model, told = planned([DOWN]), Told()
        asked = guarded(model, watch=told, failures=2, retries=0)
        for _ in range(2):
            with pytest.raises(ModelUnreachable):
                await streaming(asked)
        assert asked.seconds_to_wait() > 0
        with pytest.raises(ModelCircuitOpen) as refused:
            await streaming(asked)
        assert 0 < (refused.value.retry_after or 0) <= 600
        assert len(model.asked) == 2
        assert told.circuits == [True]

    async def test_it_opens_in_the_middle_of_the_repetitions(self) -> None:
        model = planned([DOWN])
        with pytest.raises(ModelUnreachable):
            await streaming(guarded(model, failures=2, retries=5))
        assert len(model.asked) == 2

    async def test_a_probe_that_answers_closes_it(self) -> None:
        model, told = planned([DOWN], ["back"]), Told()
        asked = guarded(model, watch=told, failures=1, cooldown=0.01, retries=0)
        with pytest.raises(ModelUnreachable):
            await streaming(asked)
        await asyncio.sleep(0.02)
        assert await streaming(asked) == ["back"]
        assert told.circuits == [True, False]

    async def test_the_fallback_is_asked_while_the_first_is_left_alone(self) -> None:
        first, second = planned([DOWN]), planned(["second"])
        asked = guarded(first, second, failures=1, retries=0)
        assert [await streaming(asked) for _ in range(3)] == [["second"]] * 3
        assert len(first.asked) == 1
        assert asked.seconds_to_wait() == 0.0

    async def test_the_fallback_is_asked_as_often_as_the_first(self) -> None:
        first, second = planned([DOWN]), planned([DOWN], ["second"])
        assert await streaming(guarded(first, second, retries=1)) == ["second"]
        assert (len(first.asked), len(second.asked)) == (2, 2)

    async def test_a_limit_that_is_reached_is_no_outage(self) -> None:
        asked = guarded(planned([BUSY]), failures=1, retries=0)
        with pytest.raises(ModelBusy):
            await streaming(asked)
        assert asked.seconds_to_wait() == 0.0


class TestPatience:
    async def test_silence_before_the_first_token_ends_the_call_and_another_is_asked(self) -> None:
        model, other = planned([30.0, "late"]), planned(["second"])
        assert await streaming(guarded(model, other, silence=0.1, retries=3)) == ["second"]
        assert len(model.asked) == 1  # who waited has waited long enough

    async def test_silence_between_two_tokens_ends_the_call(self) -> None:
        heard = []
        with pytest.raises(ModelTimedOut):
            async for chunk in guarded(planned(["a", 30.0, "b"]), silence=0.1).astream("?"):
                heard.append(chunk.content)
        assert heard == ["a"]

    async def test_a_model_that_is_slow_but_not_silent_is_heard_out(self) -> None:
        steps: list[Any] = [part for number in range(5) for part in (0.2, str(number))]
        assert await streaming(guarded(planned(steps), silence=0.8)) == list("01234")

    async def test_a_reader_that_takes_its_time_is_not_the_models_silence(self) -> None:
        heard = []
        async for chunk in guarded(planned(["a", "b"]), silence=0.05).astream("?"):
            await asyncio.sleep(0.2)
            heard.append(chunk.content)
        assert "".join(map(str, heard)) == "ab"

    @pytest.mark.parametrize("ask", [streaming, whole])
    async def test_a_whole_call_has_its_time_too(self, ask: Ask) -> None:
        steps: list[Any] = [part for number in range(100) for part in (0.02, str(number))]
        with pytest.raises(ModelTimedOut):
            await ask(guarded(planned(steps), silence=10, call=0.2))

    async def test_without_limits_it_takes_as_long_as_it_takes(self) -> None:
        model = guarded(planned([0.05, "fine"]), silence=None, call=None)
        assert await streaming(model) == ["fine"]
        assert await whole(model) == ["fine"]

    async def test_a_caller_who_leaves_is_no_timeout(self) -> None:
        told = Told()
        task = asyncio.create_task(streaming(guarded(planned([30.0]), watch=told, silence=20)))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert told.causes == []

    async def test_a_timeout_leaves_the_task_uncancelled(self) -> None:
        with pytest.raises(ModelTimedOut):
            await streaming(guarded(planned([30.0]), silence=0.05))
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0

    async def test_a_reader_who_leaves_closes_the_providers_stream(self) -> None:
        closed = asyncio.Event()

        class Closing(Planned):
            async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[Any]:
                try:
                    while True:
                        yield chunk_of("a")
                finally:
                    closed.set()

        stream = guarded(Closing(turns=[], asked=[]))._astream([HumanMessage("?")])
        await anext(stream)
        await stream.aclose()  # type: ignore[attr-defined]  # an async generator
        assert closed.is_set()


class TestStandingIn:
    """It stands for the provider's model in what LangChain makes of it."""

    async def test_a_model_that_does_not_stream_is_heard_in_one_piece(self) -> None:
        model = guarded(InOnePiece())
        assert await streaming(model) == ["all at once"]
        assert await streaming_in_thread(model) == ["all at once"]

    async def test_bindings_reach_the_provider(self) -> None:
        model = planned(["fine"])
        binding = guarded(model).bind(temperature=0)
        assert isinstance(binding, RunnableBinding)
        await binding.ainvoke("?", stop=["."])
        assert model.asked == [{"temperature": 0}]

    async def test_traces_name_the_first_model(self) -> None:
        model = guarded(ScriptedChatModel(tokens=("a",)))
        assert model._llm_type == "scripted"
        assert model._get_ls_params()["ls_provider"] == ScriptedChatModel()._get_ls_params()["ls_provider"]
        assert model._identifying_params == dict(ScriptedChatModel(tokens=("a",))._identifying_params)
        assert "candidates" not in repr(model)

    async def test_raw_answers_can_be_asked_for(self) -> None:
        class Fact(BaseModel):
            text: str

        structured = guarded(ScriptedChatModel()).with_structured_output(Fact, include_raw=True)
        answer = await structured.ainvoke("one two")
        assert set(answer) == {"raw", "parsed", "parsing_error"}

    async def test_the_scripts_own_failure_passes(self) -> None:
        with pytest.raises(ScriptedFailure):
            await guarded(ScriptedChatModel()).ainvoke("[fail]")
