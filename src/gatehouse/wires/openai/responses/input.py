"""The input items of a response, as messages of LangChain's form."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gatehouse.wires.openai.errors import InvalidValue
from gatehouse.wires.openai.messages import called, content

Item = Mapping[str, Any]
Message = dict[str, Any]
ROLES = {"user": "human", "assistant": "ai", "system": "system", "developer": "system"}
# what a client that holds the conversation sends back of an answer, and what says nothing to a model
PASSED_OVER = frozenset({"reasoning", "mcp_call", "mcp_list_tools", "mcp_approval_request"})


def items_of(given: str | Sequence[Item]) -> list[dict[str, Any]]:
    """Return an input as items: a text is a user's message."""
    if isinstance(given, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": given}]}]
    return [{"type": "message", **item} for item in given]


def in_langchains(items: Sequence[Item]) -> list[Message]:
    """Return the messages that items are; calls of one turn are one message. Raises InvalidValue."""
    messages: list[Message] = []
    for number, item in enumerate(items):
        where = f"input[{number}]"
        kind = item.get("type")
        if isinstance(kind, str) and kind in PASSED_OVER:
            continue
        make = KINDS.get(kind) if isinstance(kind, str) else None
        if make is None:
            raise InvalidValue(f"{where}.type", f"There are no input items of the type {kind!s:.40}.")
        made = make(item, where)
        if made.get("tool_calls") and messages and messages[-1]["type"] == "ai":
            calls = [*messages[-1].get("tool_calls", ()), *made["tool_calls"]]
            messages[-1] = {**messages[-1], "tool_calls": calls}
        else:
            messages.append(made)
    return messages


def message(item: Item, where: str) -> Message:
    role = item.get("role")
    kind = ROLES.get(role) if isinstance(role, str) else None
    if kind is None:
        raise InvalidValue(f"{where}.role", "A role is user, assistant, system or developer.")
    return {"type": kind, "content": content(item.get("content"), f"{where}.content", part)}


def function_call(item: Item, where: str) -> Message:
    call_id = named(item.get("call_id"), f"{where}.call_id")
    call = called(call_id, item.get("name"), item.get("arguments"), where)
    return {"type": "ai", "content": "", "tool_calls": [call]}


def function_output(item: Item, where: str) -> Message:
    call_id = named(item.get("call_id"), f"{where}.call_id")
    return {
        "type": "tool",
        "tool_call_id": call_id,
        "content": content(item.get("output"), f"{where}.output", part),
    }


KINDS: Mapping[str, Callable[[Item, str], Message]] = {
    "message": message,
    "function_call": function_call,
    "function_call_output": function_output,
}


def named(given: Any, where: str) -> str:
    if not isinstance(given, str):
        raise InvalidValue(where, "It is the id of a call.")
    return given


def part(item: Any, where: str) -> dict[str, Any]:
    """Return a part of a message's content as a block that LangChain takes. Raises InvalidValue."""
    kind = item.get("type") if isinstance(item, dict) else None
    match item:
        case {"type": "input_text" | "output_text" | "text", "text": str(text)}:
            return {"type": "text", "text": text}
        case {"type": "refusal", "refusal": str(text)}:
            return {"type": "text", "text": text}
        case {"type": "input_image", "image_url": str(url)}:
            return {"type": "image_url", "image_url": {"url": url}}
        case {"type": "input_audio", "input_audio": dict(audio)}:
            return {"type": "input_audio", "input_audio": audio}
        case {"type": "input_file", "file_data": str(data)}:
            name = item.get("filename")
            return {"type": "file", "file": {"file_data": data, "filename": str(name or "file")}}
        case {"type": "input_file", "file_url": str(url)}:
            return {"type": "file", "url": url}
    raise InvalidValue(where, f"A part of the type {kind!s:.40} is not taken like this.")
