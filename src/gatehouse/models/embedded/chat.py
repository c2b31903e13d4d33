"""The embedded model as a LangChain chat model that can call tools.

llama.cpp's API is OpenAI's, so `ChatOpenAI` does the talking. What it lacks is decided here: the model's
template knows no tools, so which tool is called, and with what, is worked out by `responding`.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import agenerate_from_stream, generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI
from pydantic import PrivateAttr

from gatehouse.models.embedded.answers import Answer, Answers, written
from gatehouse.models.embedded.background import background_meaning
from gatehouse.models.embedded.forms import bounded_form
from gatehouse.models.embedded.meaning import Meaning
from gatehouse.models.embedded.planning import Call, Read
from gatehouse.models.embedded.prompts import readable
from gatehouse.models.embedded.responding import Question, Response, Say, Talk, respond
from gatehouse.models.embedded.tool_schema import Tool
from gatehouse.models.embedded.turn import Turn

WORD = re.compile(r"\s*\S+\s*")


class EmbeddedChat(ChatOpenAI):
    """`ChatOpenAI` over the embedded llama.cpp server, with tool calls that the server cannot make."""

    _meaning: Meaning = PrivateAttr(default_factory=background_meaning)
    _answers: Answers = PrivateAttr(default_factory=Answers)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        tools, must_call = _tools_to_use(kwargs)
        response, usage = await self._arespond(messages, tools, must_call) if tools else (Talk(), None)
        if _is_left_to_the_model(response, kwargs):
            async for chunk in super()._astream(readable(messages), stop, run_manager, **kwargs):
                usage = _add_usage(chunk, usage)
                yield chunk
        else:
            for chunk in _chunks(response, usage):
                yield chunk
                await asyncio.sleep(0)  # a long quotation lets other streams go on

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        tools, must_call = _tools_to_use(kwargs)
        response, usage = self._respond(messages, tools, must_call) if tools else (Talk(), None)
        if _is_left_to_the_model(response, kwargs):
            for chunk in super()._stream(readable(messages), stop, run_manager, **kwargs):
                usage = _add_usage(chunk, usage)
                yield chunk
        else:
            yield from _chunks(response, usage)

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if kwargs.get("tools"):
            return await agenerate_from_stream(self._astream(messages, stop, **kwargs))
        return await super()._agenerate(readable(messages), stop, run_manager, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if kwargs.get("tools"):
            return generate_from_stream(self._stream(messages, stop, **kwargs))
        return super()._generate(readable(messages), stop, run_manager, **kwargs)

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        # what both ways of asking send; a form that the caller bound is a class or a dict here
        payload: dict[str, Any] = super()._get_request_payload(input_, stop=stop, **kwargs)
        if "response_format" in payload:
            payload["response_format"] = bounded_form(payload["response_format"])
        return payload

    async def _arespond(
        self, messages: list[BaseMessage], tools: Sequence[Tool], must_call: bool
    ) -> tuple[Response, UsageMetadata | None]:
        responding = respond(Turn.of(messages), tools, self._meaning, must_call=must_call)
        answer, usage = None, None
        while True:
            try:
                question = responding.send(answer)
            except StopIteration as end:
                return end.value, usage
            if (answer := self._answers.known(question)) is None:
                answer, used = await self._aask(question, messages)
                usage = add_usage(usage, used)

    def _respond(
        self, messages: list[BaseMessage], tools: Sequence[Tool], must_call: bool
    ) -> tuple[Response, UsageMetadata | None]:
        responding = respond(Turn.of(messages), tools, self._meaning, must_call=must_call)
        answer, usage = None, None
        while True:
            try:
                question = responding.send(answer)
            except StopIteration as end:
                return end.value, usage
            if (answer := self._answers.known(question)) is None:
                answer, used = self._ask(question, messages)
                usage = add_usage(usage, used)

    async def _aask(self, question: Question, messages: list[BaseMessage]) -> Answer:
        if isinstance(question, Read):
            new = self._answers.unread(question)
            read = await self.root_async_client.embeddings.create(model=self.model_name, input=new)
            return self._answers.learn(question, new, read)
        prompt, settings = written(question, messages)
        return self._answers.chosen(question, await super()._agenerate(prompt, **settings))

    def _ask(self, question: Question, messages: list[BaseMessage]) -> Answer:
        if isinstance(question, Read):
            new = self._answers.unread(question)
            read = self.root_client.embeddings.create(model=self.model_name, input=new)
            return self._answers.learn(question, new, read)
        prompt, settings = written(question, messages)
        return self._answers.chosen(question, super()._generate(prompt, **settings))


def _tools_to_use(kwargs: dict[str, Any]) -> tuple[list[Tool], bool]:
    """Take the tools out of a call's settings; the second item tells whether one must be called."""
    bound, choice = kwargs.pop("tools", None) or [], kwargs.pop("tool_choice", None)
    kwargs.pop("parallel_tool_calls", None)
    tools = [Tool.of(tool) for tool in bound if "function" in tool]
    if choice == "none":
        return [], False
    if isinstance(choice, dict):
        return [tool for tool in tools if tool.name == choice["function"]["name"]], True
    return tools, choice not in {None, "auto"}


def _is_left_to_the_model(response: Response, settings: dict[str, Any]) -> bool:
    """Tell whether the model writes the answer: also where it must have a form that a quotation has not."""
    return isinstance(response, Talk) or (isinstance(response, Say) and "response_format" in settings)


def _chunks(response: Response, usage: UsageMetadata | None) -> Iterator[ChatGenerationChunk]:
    """Yield a text word by word, or a tool call; the last chunk reports the usage."""
    if isinstance(response, Call):
        call = tool_call_chunk(
            name=response.tool, args=json.dumps(response.arguments), id=f"call_{uuid4().hex}", index=0
        )
        yield _chunk(tool_call_chunks=[call])
        yield _chunk(response_metadata={"finish_reason": "tool_calls"}, usage_metadata=usage)
    elif isinstance(response, Say):
        for word in WORD.findall(response.text):
            yield _chunk(content=word)
        yield _chunk(response_metadata={"finish_reason": "stop"}, usage_metadata=usage)


def _chunk(content: str = "", **fields: Any) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=content, **fields))


def _add_usage(chunk: ChatGenerationChunk, usage: UsageMetadata | None) -> UsageMetadata | None:
    """Add what deciding cost to the chunk that reports the answer's usage; return what is yet to be added."""
    message = chunk.message
    if usage is None or not isinstance(message, AIMessageChunk) or message.usage_metadata is None:
        return usage
    message.usage_metadata = add_usage(message.usage_metadata, usage)
    return None
