"""A chat model that says what it is told to: for tests, benchmarks and demonstrations of failure.

It reads cues from the newest human message. Without a cue it answers with a fixed sentence.

| cue | effect |
|---|---|
| `[tokens 200]` | the answer is `t1 t2 … t200`, a token each, so that loss and repetition can be seen |
| `[say some words]` | the answer is these words |
| `[delay 0.01]` | seconds before each token |
| `[tool calculator {"expression": "2+2"}]` | calls a bound tool; several are called one after the other |
| `[fail]`, `[fail some text]` | raises before the first token, with this text |
| `[fail after 3]` | raises after the third token |

After a tool's result an answer without `[tokens]` or `[say]` quotes the results.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

CUE = re.compile(r"\[(tokens|say|delay|fail)(?: ([^\]]*))?\]")
TOOL = re.compile(r"\[tool (\w+) ")
DEFAULT = "This answer was written by the scripted model."
BREATH = 32  # tokens after which a model without delay lets others have the event loop


class ScriptedFailure(Exception):
    """What a `[fail]` cue raises."""


@dataclass(frozen=True, slots=True)
class Script:
    """What the model does with a conversation. `fail_after` is a number of tokens."""

    tokens: tuple[str, ...]
    delay: float = 0.0
    call: tuple[str, dict[str, Any], str] | None = None
    fail_after: int | None = None
    failure: str = "scripted failure"


class ScriptedChatModel(BaseChatModel):
    """Follows the cues in the newest human message; see the module's own words. `delay` is in seconds."""

    delay: float = 0.0

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(
        self, tools: Sequence[Any], *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return the model with these tools, which it calls on cue."""
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def with_structured_output(  # type: ignore[override]  # narrower: always a pydantic class
        self, schema: type[BaseModel], **kwargs: Any
    ) -> Runnable[LanguageModelInput, BaseModel]:
        """Return a runnable whose output fits `schema`, made of the words of the newest message."""

        async def answer(prompt: LanguageModelInput) -> BaseModel:
            message = await self.ainvoke(prompt)
            conversation = self._convert_input(prompt).to_messages()
            words = str(conversation[-1].text).split()
            return schema.model_validate(example(schema.model_json_schema(), words, str(message.text)))

        return RunnableLambda(answer, name="scripted structured output")

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return result(list(self._stream(messages, **kwargs)))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return result([chunk async for chunk in self._astream(messages, **kwargs)])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        script = script_of(messages, kwargs.get("tools", []), self.delay)
        for chunk in chunks(script, messages):
            if script.delay:
                time.sleep(script.delay)
            yield chunk

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        script = script_of(messages, kwargs.get("tools", []), self.delay)
        for count, chunk in enumerate(chunks(script, messages)):
            if script.delay or count % BREATH == 0:
                await asyncio.sleep(script.delay)
            yield chunk


def script_of(messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]], delay: float) -> Script:
    """Return what the cues of the newest human message ask for, at this point of the conversation."""
    asked = max(at for at, message in enumerate(messages) if isinstance(message, HumanMessage))
    text = str(messages[asked].text)
    results = [message for message in messages[asked:] if isinstance(message, ToolMessage)]
    cues = {name: argument or "" for name, argument in CUE.findall(text)}
    if "delay" in cues:
        delay = float(cues["delay"])
    bound = {tool["function"]["name"] for tool in tools}
    calls = [(name, arguments) for name, arguments in tool_cues(text) if name in bound]
    if len(results) < len(calls):
        name, arguments = calls[len(results)]
        return Script((), delay, call=(name, arguments, f"call_{asked}_{len(results)}"))
    return Script(answer_tokens(cues, results), delay, **failure_of(cues))


def tool_cues(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the tool calls that a text asks for: the arguments are JSON and may hold brackets."""
    found = []
    for match in TOOL.finditer(text):
        arguments, _ = json.JSONDecoder().raw_decode(text, match.end())
        found.append((match[1], arguments))
    return found


def answer_tokens(cues: dict[str, str], results: Sequence[ToolMessage]) -> tuple[str, ...]:
    """Return the tokens of the answer, each with the space behind it."""
    if "tokens" in cues:
        return tuple(f"t{number} " for number in range(1, int(cues["tokens"]) + 1))
    if "say" in cues:
        text = cues["say"]
    elif results:
        text = " ".join(str(result.text) for result in results)
    else:
        text = DEFAULT
    return tuple(re.findall(r"\s*\S+\s?", text))


def failure_of(cues: dict[str, str]) -> dict[str, Any]:
    """Return the fields of a Script for the `[fail]` cue, if there is one."""
    if "fail" not in cues:
        return {}
    if after := re.fullmatch(r"after (\d+)", cues["fail"]):
        return {"fail_after": int(after[1])}
    return {"fail_after": 0, **({"failure": cues["fail"]} if cues["fail"] else {})}


def chunks(script: Script, messages: Sequence[BaseMessage]) -> Iterator[ChatGenerationChunk]:
    """Yield the script's chunks; the last one has the usage. Raises ScriptedFailure where it says so."""
    said = script.tokens if script.fail_after is None else script.tokens[: script.fail_after]
    if script.call is not None:
        name, arguments, call_id = script.call
        call = tool_call_chunk(name=name, args=json.dumps(arguments), id=call_id, index=0)
        yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[call]))
    for token in said:
        yield ChatGenerationChunk(message=AIMessageChunk(content=token))
    if script.fail_after is not None:
        raise ScriptedFailure(script.failure)
    usage = usage_of(messages, max(1, len(script.tokens)))
    yield ChatGenerationChunk(message=AIMessageChunk(content="", usage_metadata=usage))


def usage_of(messages: Sequence[BaseMessage], output: int) -> UsageMetadata:
    """Return the usage: a word of the prompt counts as a token, and so does a token of the answer."""
    count = sum(len(str(message.text).split()) for message in messages)
    return UsageMetadata(input_tokens=count, output_tokens=output, total_tokens=count + output)


def result(generated: Sequence[ChatGenerationChunk]) -> ChatResult:
    """Return chunks as one message."""
    parts = [chunk.message for chunk in generated if isinstance(chunk.message, AIMessageChunk)]
    calls = [call for part in parts for call in part.tool_calls]
    message = AIMessage(
        content="".join(str(part.content) for part in parts),
        tool_calls=[tool_call(name=call["name"], args=call["args"], id=call["id"]) for call in calls],
        usage_metadata=parts[-1].usage_metadata,
    )
    return ChatResult(generations=[ChatGeneration(message=message)])


def example(schema: dict[str, Any], words: Sequence[str], answer: str) -> Any:
    """Return data that fits a JSON schema: its first string is made of `words`, the others of `answer`."""
    return {
        name: value_for(part, " ".join(words[-8:]) if at == 0 else answer)
        for at, (name, part) in enumerate(schema.get("properties", {}).items())
    }


def value_for(schema: dict[str, Any], text: str) -> Any:
    """Return a value that fits the schema of a field."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "string")
    if kind == "array":
        return [value_for(schema.get("items", {}), text)]
    return {"integer": 1, "number": 1.0, "boolean": True, "object": {}}.get(kind, text)
