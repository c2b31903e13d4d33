"""A guarded model that is streamed for listeners: they hear and it returns what LangChain's own way says."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler, BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.tools import tool
from langchain_core.tracers._streaming import _StreamingCallbackHandler

from gatehouse.models.guarded import model as guarded_model
from gatehouse.models.guarded.calls import Candidate
from gatehouse.models.guarded.circuit import Circuit
from gatehouse.models.guarded.model import GuardedChatModel
from gatehouse.models.guarded.told_inline import inline_listeners, joined
from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.runs.metering import UsageMeter


class Heard(BaseCallbackHandler, _StreamingCallbackHandler[Any]):
    """Notes what it hears, and fails at one word."""

    run_inline = True

    def __init__(self, fails_at: str = "", *, raise_error: bool = False) -> None:
        self.raise_error = raise_error
        self.words: list[Any] = []
        self._fails_at = fails_at

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **about: Any) -> None:
        message = chunk.message
        at_end = message.chunk_position, message.response_metadata, message.usage_metadata
        named = message.id == f"lc_run--{about['run_id']}"
        self.words.append((token, at_end, named, sorted(about), about["tags"]))
        if token == self._fails_at:
            raise ValueError("no ear for that")

    def tap_output_aiter(self, run_id: Any, output: Any) -> Any:
        return output

    def tap_output_iter(self, run_id: Any, output: Any) -> Any:
        return output


class InThread(Heard):
    """Is called in a thread."""

    run_inline = False


class Awaited(AsyncCallbackHandler):
    """Is awaited."""

    run_inline = True

    async def on_llm_new_token(self, token: Any, **about: Any) -> None:
        """Do nothing."""


class Informed(ScriptedChatModel):
    """Tells of its end beside the message, and marks no end."""

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk(content="Four"))
        ended = {"finish_reason": "stop", "model_name": "informed-1"}
        yield ChatGenerationChunk(message=AIMessageChunk(content="."), generation_info=ended)


SAID: dict[str, tuple[BaseChatModel, str]] = {
    "words": (ScriptedChatModel(), "[say It is four.]"),
    "a tool call": (ScriptedChatModel(), '[tool add {"a": 1}]'),
    "what is told beside the message": (Informed(), "hi"),
    "a failure": (ScriptedChatModel(), "[tokens 5] [fail after 3]"),
}


def guarded(model: BaseChatModel) -> GuardedChatModel:
    return GuardedChatModel.of([Candidate("model", model, Circuit(0, 1.0))])


async def answered(model: GuardedChatModel, text: str, *handlers: BaseCallbackHandler) -> tuple[Any, ...]:
    """Return the answer without what is made anew each time, and the failure."""
    try:
        answer: Any = await model.ainvoke(text, {"callbacks": [*handlers], "tags": ["mine"]})
    except Exception as error:
        return type(error), str(error)
    assert isinstance(answer, AIMessage)
    assert str(answer.id).startswith("lc_run--")
    calls = [(call["name"], call["args"]) for call in answer.tool_calls]
    return type(answer), answer.content, calls, answer.response_metadata, answer.usage_metadata


class TestTold:
    @pytest.mark.parametrize("said", SAID)
    async def test_says_and_tells_what_langchain_does(
        self, said: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model, text = SAID[said]
        here, there, meters = Heard(), Heard(), (UsageMeter(), UsageMeter())
        ours = await answered(guarded(model), text, here, meters[0])
        monkeypatch.setattr(guarded_model, "inline_listeners", lambda _handlers: None)
        assert ours == await answered(guarded(model), text, there, meters[1])
        assert here.words == there.words != []
        assert meters[0].models == meters[1].models

    async def test_a_listener_that_fails_is_heard_of_and_stops_nothing(self) -> None:
        heard = Heard(" is")
        assert (await answered(guarded(ScriptedChatModel()), "[say It is four.]", heard))[1] == "It is four."
        assert "".join(word[0] for word in heard.words) == "It is four."

    async def test_a_listener_that_wants_it_raised_ends_the_call(self) -> None:
        heard = Heard("It", raise_error=True)
        assert (await answered(guarded(ScriptedChatModel()), "[say It is four.]", heard))[0] is ValueError


def chunk(text: Any, **fields: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=text, **fields))


PROVIDER = {"model_provider": "somebody"}


class TestJoined:
    @pytest.mark.parametrize(
        ("chunks", "left"),
        [
            ([chunk("a"), chunk("b"), chunk("c", chunk_position="last")], 2),
            ([chunk("a", id="1"), chunk("b", id="1"), chunk("c", id="2")], 2),
            ([chunk("a", response_metadata=PROVIDER), chunk("b", response_metadata=PROVIDER)], 1),
            ([chunk("a"), chunk("b", additional_kwargs={"reasoning_content": "why"}), chunk("c")], 3),
            ([chunk([{"type": "text", "text": "a", "index": 0}]), chunk("b"), chunk("c")], 2),
            ([chunk("", response_metadata={"finish_reason": "stop"}), chunk("a")], 2),
            ([chunk("a", name="me"), chunk("b")], 2),
            ([], 0),
        ],
    )
    def test_adds_up_to_the_same(self, chunks: list[ChatGenerationChunk], left: int) -> None:
        few = joined(chunks)
        assert len(few) == left
        if chunks:
            assert generate_from_stream(iter(few)) == generate_from_stream(iter(chunks))


class TestListeners:
    def test_those_who_do_nothing_with_tokens_are_left_out(self) -> None:
        heard = Heard()
        assert inline_listeners([UsageMeter(), heard]) == [heard]

    @pytest.mark.parametrize("other", [Awaited(), InThread()])
    def test_none_when_another_is_not_called_inline(self, other: BaseCallbackHandler) -> None:
        assert inline_listeners([Heard(), other]) is None


class TestBoundTools:
    def test_are_told_once_as_long_as_they_are_the_same(self) -> None:
        @tool
        def look_up(what: str) -> str:
            """Look something up."""
            return what

        model = guarded(ScriptedChatModel())
        bound = model.bind_tools([look_up])
        assert model.bind_tools([look_up]) is bound
        assert model.bind_tools([look_up], tool_choice="look_up") is not bound
        look_up.description = "Look it up elsewhere."
        again: Any = model.bind_tools([look_up])
        told = again.candidates[0].source.kwargs["tools"][0]["function"]
        assert told["description"] == "Look it up elsewhere."
        assert model.bind_tools([{"type": "web_search"}]) is not model.bind_tools([{"type": "web_search"}])
