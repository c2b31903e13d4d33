"""A chat model for tests and benchmarks that does what the message tells it to.

Cues stand in square brackets in the last human message, anywhere in its text, and are followed in order:

| cue | effect |
|---|---|
| `[tokens 200]` | says `t1 t2 … t200`, numbered so that a lost, repeated or reordered token shows |
| `[say some text]` | says this text, a word a token |
| `[delay 0.01]` | waits this many seconds before every token from here on |
| `[tool calculator {"expression": "2+2"}]` | calls the tool; after its result goes on with the next cue |
| `[fail]` | raises ScriptedFailure before the first token |
| `[fail after 3]` | raises it after three tokens of this turn |
| `[fail SECRET]`, `[fail after 3 SECRET]` | the same, with this text in the exception |

A message without cues is answered with `tokens`. When the cues end with a tool, the answer quotes the
results of all tools called. Where a tool must be called, or data of a schema is asked for, the arguments are
valid ones made from the message's words.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.chat_models import agenerate_from_stream, generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from gatehouse.models.scripted.cues import Script, ToolCue, Words, cues_in, words_of
from gatehouse.models.scripted.data import data_for

BURST = 32  # tokens without a delay after which other tasks of the event loop get their turn

Pause = float  # seconds
Event = ChatGenerationChunk | Pause


class ScriptedFailure(Exception):
    """Raised where a message asks for it."""


class ScriptedChatModel(BaseChatModel):
    """Answers as the cues in the last human message say; without cues, with `tokens`.

    `delay` is in seconds before each token. Usage counts a message's words and the tokens said.
    """

    tokens: tuple[str, ...] = ("This", " is", " a", " scripted", " answer.")
    delay: float = 0.0

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return the model with these tools; `tool_choice` "any", "required" or a name forces a call."""
        bound = [convert_to_openai_tool(tool) for tool in tools]
        return self.bind(tools=bound, tool_choice=tool_choice, **kwargs)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **_kwargs: Any
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Return the model answering with data of `schema`; `method` and `strict` make no difference."""
        return super().with_structured_output(schema, include_raw=include_raw)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for event in self._events(messages, kwargs):
            if isinstance(event, ChatGenerationChunk):
                yield event
            elif event:
                time.sleep(event)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        # by the clock: a real model does not wait for whoever reads it, and with timers that begin where the
        # last one was heard of, those of many answers meet and step together
        due = time.monotonic()
        for event in self._events(messages, kwargs):
            if isinstance(event, ChatGenerationChunk):
                yield event
            else:
                due += event
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return await agenerate_from_stream(self._astream(messages, stop, run_manager, **kwargs))

    def _events(self, messages: list[BaseMessage], settings: dict[str, Any]) -> Iterator[Event]:
        """Yield the chunks of this turn and the pauses between them."""
        script = self._script(messages, settings)
        said = 0
        for words in script.words:
            delay = self.delay if words.delay is None else words.delay
            for token in words.tokens:
                if script.failure and said == script.failure.after:
                    raise ScriptedFailure(script.failure.text)
                if delay or said % BURST == BURST - 1:
                    yield delay
                yield ChatGenerationChunk(message=AIMessageChunk(content=token))
                said += 1
        if script.failure:
            raise ScriptedFailure(script.failure.text)
        yield _last_chunk(script.tool, _usage(messages, said))

    def _script(self, messages: list[BaseMessage], settings: dict[str, Any]) -> Script:
        last = max((i for i, message in enumerate(messages) if isinstance(message, HumanMessage)), default=-1)
        message, since = messages[last].text if last >= 0 else "", messages[last + 1 :]
        cues = cues_in(message)
        turn = sum(isinstance(earlier, AIMessage) and bool(earlier.tool_calls) for earlier in since)
        script = cues.turns[turn] if turn < len(cues.turns) else Script()
        if script.tool is None and script.failure is None:
            script = replace(script, tool=_forced(settings, message))
        if script.tool or script.words:
            return script
        results = [result.text for result in since if isinstance(result, ToolMessage)]
        tokens = words_of(f"The results: {'; '.join(results)}") if results else self.tokens
        return Script([Words(tokens, cues.delay)], None, script.failure)


def _forced(settings: dict[str, Any], message: str) -> ToolCue | None:
    """Return the tool that the caller insists on, with valid arguments."""
    choice, tools = settings.get("tool_choice"), [tool["function"] for tool in settings.get("tools") or ()]
    if not tools or choice in {None, "auto", "none"}:
        return None
    tool = next((tool for tool in tools if tool["name"] == choice), tools[0])
    return ToolCue(tool["name"], data_for(tool.get("parameters") or {}, message))


def _last_chunk(tool: ToolCue | None, usage: UsageMetadata) -> ChatGenerationChunk:
    calls = []
    if tool:
        arguments = json.dumps(tool.arguments)
        calls = [tool_call_chunk(name=tool.name, args=arguments, id=f"call_{uuid4().hex}", index=0)]
    message = AIMessageChunk(
        content="",
        tool_call_chunks=calls,
        usage_metadata=usage,
        response_metadata={"finish_reason": "tool_calls" if tool else "stop"},
        chunk_position="last",
    )
    return ChatGenerationChunk(message=message)


def _usage(messages: Sequence[BaseMessage], said: int) -> UsageMetadata:
    read = sum(len(message.text.split()) for message in messages)
    return UsageMetadata(input_tokens=read, output_tokens=said, total_tokens=read + said)
