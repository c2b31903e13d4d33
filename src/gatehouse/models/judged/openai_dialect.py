"""What servers that speak OpenAI's API say in other ways than OpenAI, put as LangChain reads it.

LangChain's package is OpenAI's own: it drops refusals and reasoning out of streams, and tool calls without an
index, and fails on arguments that are no JSON object.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, InvalidToolCall
from langchain_core.messages.tool import invalid_tool_call
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from gatehouse.models.errors import ModelSaidNothing
from gatehouse.models.failures import ProviderSaid
from gatehouse.models.overriding import overriding

REASONING = ("reasoning_content", "reasoning")  # DeepSeek's and vLLM's name for it, and OpenRouter's
Model = TypeVar("Model", bound=BaseChatModel)
Json = dict[str, Any]


def reading_dialect(model: Model) -> Model:
    """Return a copy of a model of LangChain's package for OpenAI that reads its API's dialects, too."""
    parent: Any = type(model)

    def _convert_chunk_to_generation_chunk(
        self: Any, chunk: Json, default_chunk_class: type, base_generation_info: Json | None
    ) -> ChatGenerationChunk | None:
        read = read_chunk(chunk)
        convert = parent._convert_chunk_to_generation_chunk
        found = convert(self, read, default_chunk_class, base_generation_info)
        return with_extras(found, read)

    def _create_chat_result(self: Any, response: Any, generation_info: Json | None = None) -> ChatResult:
        body, faulty = read_response(response)
        return with_faulty(parent._create_chat_result(self, body, generation_info), faulty)

    reading: dict[str, Any] = {
        "_convert_chunk_to_generation_chunk": _convert_chunk_to_generation_chunk,
        "_create_chat_result": _create_chat_result,
    }
    return overriding(model, reading)


def read_chunk(chunk: Json) -> Json:
    """Return a chunk of a stream as OpenAI would send it. Raises ProviderSaid for an error."""
    if chunk.get("error"):
        raise ProviderSaid(chunk["error"])
    choices = [read_choice(choice) for choice in chunk.get("choices") or []]
    return {**chunk, "choices": choices}


def read_choice(choice: Json) -> Json:
    if choice.get("error"):
        raise ProviderSaid(choice["error"])
    delta = dict(choice.get("delta") or choice.get("message") or {})
    if isinstance(delta.get("content"), list):
        delta["content"] = text_in(delta["content"])
    if calls := delta.get("tool_calls"):
        delta["tool_calls"] = [read_call(call) for call in calls]
    return {**choice, "delta": delta}


def read_call(call: Json) -> Json:
    """Return a tool call, or a piece of one, with all fields that LangChain reads."""
    function = dict(call.get("function") or {})
    arguments = function.get("arguments")
    if arguments is not None and not isinstance(arguments, str):
        function["arguments"] = json.dumps(arguments)
    return {"index": None, "id": None, "type": "function", **call, "function": {"name": None, **function}}


def text_in(blocks: list[Any]) -> str:
    """Return the text of a content that came as blocks."""
    texts = [block if isinstance(block, str) else block.get("text") for block in blocks]
    return "".join(text for text in texts if isinstance(text, str))


def with_extras(found: ChatGenerationChunk | None, chunk: Json) -> ChatGenerationChunk | None:
    """Return what LangChain made of a chunk with the refusal and the reasoning that it left out."""
    if found is None or not chunk["choices"] or not isinstance(found.message, AIMessageChunk):
        return found
    found.message.additional_kwargs |= extras_of(chunk["choices"][0]["delta"])
    return found


def extras_of(message: Mapping[str, Any]) -> dict[str, str]:
    refusal, thoughts = message.get("refusal"), [message.get(name) for name in REASONING]
    thought = next((text for text in thoughts if isinstance(text, str) and text), None)
    extras = {"refusal": refusal, "reasoning_content": thought}
    return {name: text for name, text in extras.items() if isinstance(text, str) and text}


def read_response(response: Any) -> tuple[Any, list[list[InvalidToolCall]]]:
    """Return a whole answer as LangChain reads it, and the tool calls of each choice that it cannot read.

    Raises ProviderSaid for an error, and ModelSaidNothing for what is no answer.
    """
    body = response if isinstance(response, dict) else dumped(response)
    if body is None:
        raise ModelSaidNothing(f"what it sent is no JSON object ({type(response).__name__})")
    if body.get("error"):
        raise ProviderSaid(body["error"])
    if body.get("object") == "error":
        raise ProviderSaid(body)
    choices = body.get("choices")
    if not choices or not all(isinstance(one, Mapping) and one.get("message") for one in choices):
        raise ModelSaidNothing("there is no answer in what it sent")
    if any(one["message"].get("parsed") is not None for one in choices):  # by OpenAI's own client
        return response, []
    read = [read_message(choice) for choice in choices]
    return {**body, "choices": [choice for choice, _ in read]}, [faulty for _, faulty in read]


def dumped(response: Any) -> Json | None:
    """Return what OpenAI's client made of a JSON object as one; None for anything else."""
    dump = getattr(response, "model_dump", None)
    return dict(dump(warnings=False)) if callable(dump) else None


def read_message(choice: Json) -> tuple[Json, list[InvalidToolCall]]:
    if choice.get("error"):
        raise ProviderSaid(choice["error"])
    message = dict(choice["message"])
    if isinstance(message.get("content"), list):
        message["content"] = text_in(message["content"])
    calls = [read_call(call) for call in message.get("tool_calls") or []]
    good = [call for call in calls if has_arguments(call)]
    faulty = [
        invalid_tool_call(
            name=call["function"]["name"], args=call["function"].get("arguments"), id=call["id"]
        )
        for call in calls
        if not has_arguments(call)
    ]
    message["tool_calls"] = [
        {**call, "function": {**call["function"], "arguments": call["function"].get("arguments") or "{}"}}
        for call in good
    ]
    return {**choice, "message": {"role": "assistant", **message}}, faulty


def has_arguments(call: Json) -> bool:
    """Tell whether a tool call has a name, and an object or nothing as its arguments."""
    arguments = call["function"].get("arguments")
    try:
        return bool(call["function"]["name"]) and (not arguments or isinstance(json.loads(arguments), dict))
    except (ValueError, RecursionError):
        return False


def with_faulty(result: ChatResult, faulty: list[list[InvalidToolCall]]) -> ChatResult:
    """Return what LangChain made of an answer with the calls that it was not shown, and the reasoning."""
    for generation, calls in zip(result.generations, faulty, strict=False):
        if isinstance(generation.message, AIMessage):
            generation.message.invalid_tool_calls += calls
    return result
