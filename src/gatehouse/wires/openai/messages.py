"""Messages of OpenAI's form in LangChain's, as plain JSON."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from gatehouse.wires.openai.errors import InvalidValue

Message = Mapping[str, Any]
MakePart = Callable[[Any, str], dict[str, Any]]  # of a part, and where it stands
PARTS = ("text", "image_url", "input_audio", "file")  # those that LangChain takes as they are
NO_PART = "A part of a message's content is a text, image_url, input_audio or file."


def in_langchains(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Return the messages of a chat. Raises InvalidValue."""
    return [one(message, f"messages[{number}]") for number, message in enumerate(messages)]


def one(message: Message, where: str) -> dict[str, Any]:
    """Return a message, which stands in its request at `where`. Raises InvalidValue."""
    role = message.get("role")
    make = ROLES.get(role) if isinstance(role, str) else None
    if make is None:
        raise InvalidValue(f"{where}.role", "A role is system, developer, user, assistant or tool.")
    return make(message, where)


def user(message: Message, where: str) -> dict[str, Any]:
    return {"type": "human", "content": content(message.get("content"), f"{where}.content", part)}


def system(message: Message, where: str) -> dict[str, Any]:
    return {"type": "system", "content": content(message.get("content"), f"{where}.content", part)}


def tool(message: Message, where: str) -> dict[str, Any]:
    call = message.get("tool_call_id")
    if not isinstance(call, str):
        raise InvalidValue(f"{where}.tool_call_id", "A tool's message names the call that it answers.")
    return {
        "type": "tool",
        "content": content(message.get("content"), f"{where}.content", part),
        "tool_call_id": call,
    }


def assistant(message: Message, where: str) -> dict[str, Any]:
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise InvalidValue(f"{where}.tool_calls", "tool_calls is a list.")
    said = message.get("content")
    told = "" if said is None else content(said, f"{where}.content", part)
    found = [call(item, f"{where}.tool_calls[{number}]") for number, item in enumerate(calls)]
    return {"type": "ai", "content": told, **({"tool_calls": found} if found else {})}


ROLES: Mapping[str, Callable[[Message, str], dict[str, Any]]] = {
    "user": user,
    "assistant": assistant,
    "tool": tool,
    "system": system,
    "developer": system,
}


def call(item: Any, where: str) -> dict[str, Any]:
    """Return a call of a client's own tool. Raises InvalidValue."""
    function = item.get("function") if isinstance(item, dict) else None
    if not isinstance(function, dict) or not isinstance(item.get("id"), str):
        raise InvalidValue(where, "A tool call has an id, and a function with a name and arguments.")
    return called(item["id"], function.get("name"), function.get("arguments"), where)


def called(call_id: str, name: Any, arguments: Any, where: str) -> dict[str, Any]:
    """Return a call of a tool; its arguments are the JSON text of an object. Raises InvalidValue."""
    try:
        given = orjson.loads(arguments or "{}")
    except (orjson.JSONDecodeError, TypeError):
        given = None
    if not isinstance(given, dict) or not isinstance(name, str):
        raise InvalidValue(where, "A tool call has a name, and arguments that are the text of a JSON object.")
    return {"type": "tool_call", "id": call_id, "name": name, "args": given}


def content(given: Any, where: str, part: MakePart) -> str | list[dict[str, Any]]:
    """Return a message's content: text, or blocks, each made by `part`. Raises InvalidValue."""
    if isinstance(given, str):
        return given
    if not isinstance(given, list) or not given:
        raise InvalidValue(where, "It is a text, or a list of parts.")
    return [part(item, f"{where}[{number}]") for number, item in enumerate(given)]


def part(item: Any, where: str) -> dict[str, Any]:
    """Return a part of a message's content. Raises InvalidValue."""
    kind = item.get("type") if isinstance(item, dict) else None
    if kind == "refusal" and isinstance(item.get("refusal"), str):
        return {"type": "text", "text": item["refusal"]}
    if kind not in PARTS or kind not in item:
        raise InvalidValue(where, NO_PART)
    return {"type": kind, kind: item[kind]}
