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
from gatehouse.models.failures import ProviderSaid, error_in
from gatehouse.models.judged.openai_usage import usage_in
from gatehouse.models.overriding import overriding

# DeepSeek's and vLLM's name for it, OpenRouter's, and those of proxies
REASONING = ("reasoning_content", "reasoning", "thinking", "thinking_blocks", "reasoning_details")
THOUGHTS = ("thinking", "text", "summary", "content")  # where a block of thoughts has its words
TEXTS = frozenset({"text", "output_text"})
FIRST = (0, "0", None)  # what servers call the first of the answers
Model = TypeVar("Model", bound=BaseChatModel)
Json = dict[str, Any]


def reading_dialect(model: Model) -> Model:
    """Return a copy of a model of LangChain's package for OpenAI that reads its API's dialects, too."""
    # imports OpenAI's package, which takes a second, and is there where such a model is
    from gatehouse.models.judged.openai_events import read_events

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
        result = with_faulty(parent._create_chat_result(self, body, generation_info), faulty)
        return with_thoughts(result, body)

    reading: dict[str, Any] = {
        "_convert_chunk_to_generation_chunk": _convert_chunk_to_generation_chunk,
        "_create_chat_result": _create_chat_result,
    }
    read_events(model)
    return overriding(model, reading)


def read_chunk(chunk: Json) -> Json:
    """Return a chunk of a stream as OpenAI would send it. Raises ProviderSaid for an error."""
    if (error := error_in(chunk)) is not None:
        raise ProviderSaid(error)
    choices = [read_choice(choice) for choice in choices_in(chunk) if choice.get("index") in FIRST]
    return {**chunk, "choices": choices, "usage": usage_in(chunk)}


def choices_in(body: Json) -> list[Json]:
    """Return the answers to one question. Of several the first was asked for."""
    found = body.get("choices") or []
    listed = [found] if isinstance(found, dict) else found if isinstance(found, list) else []
    return [choice for choice in listed if isinstance(choice, dict)]


def read_choice(choice: Json) -> Json:
    if choice.get("error"):
        raise ProviderSaid(choice["error"])
    delta = choice.get("delta") or choice.get("message") or in_completions(choice)
    return {**choice, "delta": delta if is_text_alone(delta) else read_said(delta)}


def in_completions(choice: Json) -> Json:
    """Return the message of a choice that has its text as the API before chat had it."""
    return {"content": choice["text"]} if choice.get("text") else {}


def is_text_alone(delta: Json) -> bool:
    """Tell a piece of text as OpenAI sends it: nearly every one is, and it is looked at no further."""
    if type(delta.get("content")) is not str or delta.get("role") not in (None, "assistant"):
        return False
    return len(delta) == 1 or not any(
        value for name, value in delta.items() if name not in ("content", "role")
    )


def read_said(message: Json) -> Json:
    """Return a message, or a piece of one, with an assistant's role, its text as one, and its calls."""
    said = {**message, "content": text_in(message.get("content"))}
    if said.get("role"):
        said["role"] = "assistant"
    if isinstance(thoughts := message.get("content"), list) and not thought_in(said):
        said["reasoning_content"] = thought_of(
            [one for one in thoughts if not is_text(one) and not is_refusal(one)]
        )
    if refusal := refusal_in(message.get("content")):
        said["refusal"] = refusal
    calls = message.get("tool_calls") or in_functions(message)
    listed = [calls] if isinstance(calls, dict) and calls else calls or []
    said["tool_calls"] = [read_call(call) for call in listed if isinstance(call, dict)]
    return said


def in_functions(message: Json) -> list[Json]:
    """Return the call of a message that has it as the API had them before there could be several."""
    function = message.get("function_call")
    return [{"index": 0, "function": function}] if isinstance(function, dict) and function else []


def refusal_in(content: Any) -> str:
    """Return the refusal among the blocks of a content, as OpenAI's Responses API has it."""
    blocks = content if isinstance(content, list) else []
    return "".join(str(one.get("refusal") or "") for one in blocks if is_refusal(one))


def is_refusal(block: Any) -> bool:
    return isinstance(block, dict) and block.get("type") == "refusal"


def read_call(call: Json) -> Json:
    """Return a tool call, or a piece of one, with all fields that LangChain reads."""
    function = dict(call.get("function") or {})
    arguments, call_id = function.get("arguments"), call.get("id")
    if arguments is not None and not isinstance(arguments, str):
        function["arguments"] = json.dumps(arguments)
    whole = {"index": None, "type": "function", **call, "id": None if call_id is None else str(call_id)}
    return {**whole, "function": {"name": None, **function}}


def text_in(content: Any) -> str | None:
    """Return the text of a content, which may come as blocks; None without any content."""
    if content is None or isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else [content]
    texts = [block.get("text") if isinstance(block, dict) else block for block in blocks if is_text(block)]
    return "".join(str(text) for text in texts if isinstance(text, str | int | float))


def is_text(block: Any) -> bool:
    return not isinstance(block, dict) or block.get("type", "text") in TEXTS


def thought_in(message: Mapping[str, Any]) -> str:
    """Return what a message tells of the model's thoughts, by whatever name."""
    return next(
        (text for name in REASONING if (told := message.get(name)) and (text := thought_of(told))), ""
    )


def thought_of(told: Any) -> str:
    """Return the words of thoughts that came as text, as a block or as several."""
    if isinstance(told, list):
        return "".join(map(thought_of, told))
    if isinstance(told, Mapping):
        return next((text for name in THOUGHTS if (text := thought_of(told.get(name)))), "")
    return told if isinstance(told, str) else ""


def with_extras(found: ChatGenerationChunk | None, chunk: Json) -> ChatGenerationChunk | None:
    """Return what LangChain made of a chunk with the refusal and the reasoning that it left out."""
    if found is None or not chunk["choices"] or not isinstance(found.message, AIMessageChunk):
        return found
    found.message.additional_kwargs |= extras_of(chunk["choices"][0]["delta"])
    return found


def extras_of(message: Mapping[str, Any]) -> dict[str, str]:
    extras = {"refusal": message.get("refusal"), "reasoning_content": thought_in(message)}
    return {name: text for name, text in extras.items() if isinstance(text, str) and text}


def read_response(response: Any) -> tuple[Any, list[list[InvalidToolCall]]]:
    """Return a whole answer as LangChain reads it, and the tool calls of each choice that it cannot read.

    Raises ProviderSaid for an error, and ModelSaidNothing for what is no answer.
    """
    body = response if isinstance(response, dict) else dumped(response)
    if body is None:
        raise ModelSaidNothing(f"what it sent is no JSON object ({type(response).__name__})")
    if (error := error_in(body)) is not None:
        raise ProviderSaid(error)
    choices = sorted(choices_in(body), key=lambda choice: choice.get("index") not in FIRST)
    if not choices or not all(one.get("message") or one.get("text") for one in choices):
        raise ModelSaidNothing("there is no answer in what it sent")
    if any((one.get("message") or {}).get("parsed") is not None for one in choices):  # by OpenAI's own client
        return response, []
    read = [read_message(choice) for choice in choices]
    whole = {**body, "choices": [choice for choice, _ in read], "usage": usage_in(body)}
    return whole, [faulty for _, faulty in read]


def dumped(response: Any) -> Json | None:
    """Return what OpenAI's client made of a JSON object as one; None for anything else."""
    dump = getattr(response, "model_dump", None)
    return dict(dump(warnings=False)) if callable(dump) else None


def read_message(choice: Json) -> tuple[Json, list[InvalidToolCall]]:
    if choice.get("error"):
        raise ProviderSaid(choice["error"])
    message = read_said(choice.get("message") or in_completions(choice))
    calls = message["tool_calls"]
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
    return {**choice, "message": {**message, "role": "assistant"}}, faulty


def has_arguments(call: Json) -> bool:
    """Tell whether a tool call has a name, and an object or nothing as its arguments."""
    arguments = call["function"].get("arguments")
    try:
        return bool(call["function"]["name"]) and (not arguments or isinstance(json.loads(arguments), dict))
    except (ValueError, RecursionError):
        return False


def with_faulty(result: ChatResult, faulty: list[list[InvalidToolCall]]) -> ChatResult:
    """Return what LangChain made of an answer with the calls that it was not shown."""
    for generation, calls in zip(result.generations, faulty, strict=False):
        if isinstance(generation.message, AIMessage):
            generation.message.invalid_tool_calls += calls
    return result


def with_thoughts(result: ChatResult, body: Any) -> ChatResult:
    """Return what LangChain made of an answer with the reasoning that it left out."""
    choices = body["choices"] if isinstance(body, dict) else []  # else OpenAI's client has read it itself
    for generation, choice in zip(result.generations, choices, strict=False):
        if thought := thought_in(choice["message"]):
            generation.message.additional_kwargs.setdefault("reasoning_content", thought)
    return result
