"""The embedded model as a LangChain chat model that can call tools.

llama.cpp's API is OpenAI's, so `ChatOpenAI` does the talking. Which tool is called, and with what, is worked
out by `responding`: the model's own template knows no tools.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from functools import cached_property, partial
from typing import Any
from uuid import uuid4

from langchain_core.language_models.chat_models import agenerate_from_stream, generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_openai import ChatOpenAI

from gatehouse.models.embedded.arguments import Call
from gatehouse.models.embedded.forms import bounded
from gatehouse.models.embedded.responding import SHORT, readable, respond
from gatehouse.models.embedded.tool_schema import Tool
from gatehouse.models.embedded.vectors import Vectors

# so small a model repeats itself for ever: each word gets less likely, and a phrase of three words ever less
TALKING: dict[str, Any] = {
    "repeat_penalty": 1.1,
    "dry_multiplier": 0.8,
    "dry_allowed_length": 3,
    "dry_penalty_last_n": 64,
}
LONGEST = 160  # tokens of an answer in its own words
ENDS = "\n\n"  # what such an answer stops before: after a paragraph it wanders off
# the grammar of an answer to a short question, one sentence: a second one is often wrong
SENTENCE = 'root ::= [A-Z"] ([^.!?\\n] | [0-9] "." [0-9])* [.!?]'


class EmbeddedChat(ChatOpenAI):
    """`ChatOpenAI` over the embedded llama.cpp server, with tool calls that the server cannot make."""

    @cached_property
    def vectors(self) -> Vectors:
        embed = partial(self.root_client.embeddings.create, model=self.model_name)
        return Vectors(lambda prompts: [item.embedding for item in embed(input=prompts).data])

    async def _astream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        response = await asyncio.to_thread(self._respond, messages, kwargs)
        if response is None:
            async for chunk in super()._astream(messages, *args, **kwargs):
                yield chunk
        for chunk in _chunks(response):
            yield chunk
            await asyncio.sleep(0)  # a long text lets other streams go on

    def _stream(
        self, messages: list[BaseMessage], *args: Any, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        response = self._respond(messages, kwargs)
        if response is None:
            yield from super()._stream(messages, *args, **kwargs)
        yield from _chunks(response)

    async def _agenerate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        if kwargs.get("response_format") and not kwargs.get("tools"):
            return await super()._agenerate(messages, *args, **kwargs)
        return await agenerate_from_stream(self._astream(messages, *args, **kwargs))

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        if kwargs.get("response_format") and not kwargs.get("tools"):
            return super()._generate(messages, *args, **kwargs)
        return generate_from_stream(self._stream(messages, *args, **kwargs))

    def _get_request_payload(self, input_: Any, **kwargs: Any) -> dict[str, Any]:
        """Return what is sent, whoever asks: no tools, and an end for what has none."""
        form = kwargs.pop("response_format", None)
        messages = readable(self._convert_input(input_).to_messages())
        asked: dict[str, Any] = super()._get_request_payload(messages, **kwargs)
        payload = {key: value for key, value in asked.items() if "tool" not in key}
        if form is not None:
            return {**payload, "response_format": bounded(form)}
        payload["stop"] = [*(payload.get("stop") or []), ENDS]
        payload["max_completion_tokens"] = min(LONGEST, payload.get("max_completion_tokens") or LONGEST)
        bounds = TALKING if len(messages[-1].text) > SHORT else TALKING | {"grammar": SENTENCE}
        return {**payload, "extra_body": bounds | (payload.get("extra_body") or {})}

    def _respond(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> Call | str | None:
        """Return what to answer; None leaves it to the model: always where a text must have a form."""
        tools = [Tool.of(tool) for tool in kwargs.get("tools") or () if "function" in tool]
        choice = kwargs.get("tool_choice") or "auto"
        if isinstance(choice, dict):
            tools = [tool for tool in tools if tool.name == choice["function"]["name"]]
        response = respond(messages, [] if choice == "none" else tools, self.vectors)
        if tools and choice not in ("auto", "none") and not isinstance(response, Call):
            return self._composed(messages, tools[-1])
        return None if isinstance(response, str) and kwargs.get("response_format") else response

    def _composed(self, messages: list[BaseMessage], tool: Tool) -> Call:
        """Return a call whose arguments the model writes by the tool's schema: the caller insists on one."""
        form = {"type": "json_schema", "json_schema": {"name": tool.name, "schema": tool.schema}}
        written = super()._generate(messages, response_format=form, temperature=0)
        return Call(tool, json.loads(written.generations[0].text))


def _chunks(response: Call | str | None) -> Iterator[ChatGenerationChunk]:
    """Yield a tool call, or a text word by word."""
    said: list[dict[str, Any]] = []
    if isinstance(response, Call):
        name, arguments = response.tool.name, json.dumps(response.arguments)
        call = tool_call_chunk(name=name, args=arguments, id=f"call_{uuid4().hex}", index=0)
        said = [{"tool_call_chunks": [call]}]
    elif response:
        said = [{"content": word} for word in re.findall(r"\s*\S+\s*", response)]
    for fields in said:
        yield ChatGenerationChunk(message=AIMessageChunk(**{"content": "", **fields}))
