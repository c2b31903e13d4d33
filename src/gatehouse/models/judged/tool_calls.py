"""The tool calls of an answer, out of the pieces in which providers send them.

Servers that speak OpenAI's API differ in how they cut a call: most send its name and id once and its
arguments in pieces, some repeat both with every piece, some send no index, or the same for all calls.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from uuid import uuid4

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.messages.tool import ToolCall, ToolCallChunk, tool_call, tool_call_chunk

from gatehouse.plain_json import whole_text

PLACES_HELD = frozenset({"{}", "null"})  # where the arguments are to come
SHOWN = 500  # characters of faulty arguments that the model is shown again


@dataclass(slots=True)
class Asked:
    """A tool call as the model wrote it; `arguments` is text, which should be a JSON object."""

    index: int | str | None
    id: str = ""
    name: str = ""
    pieces: list[str] = field(default_factory=list)

    @property
    def arguments(self) -> str:
        """What the pieces add up to.

        Some servers send the whole again after them, or with every piece what has come so far, or an empty
        object before them.
        """
        pieces = [piece for piece in self.pieces if piece]
        if len(pieces) > 1 and pieces[0].strip() in PLACES_HELD:
            pieces = pieces[1:]
        if len(pieces) > 1 and all(after.startswith(before) for before, after in pairwise(pieces)):
            return pieces[-1]
        text = "".join(pieces)
        half, odd = divmod(len(text), 2)
        return text[:half] if not odd and text[:half] == text[half:] and text.startswith("{") else text

    @property
    def is_whole(self) -> bool:
        return not isinstance(object_of(self), Fault) and bool(self.arguments.strip())


@dataclass(frozen=True, slots=True)
class Fault:
    """A call that cannot be made, and what the model is told of it."""

    call: Asked
    told: str


class ToolCalls:
    """Puts the calls of one answer together."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []

    def add(self, pieces: Iterable[ToolCallChunk]) -> None:
        for piece in pieces:
            index, name, call_id = piece.get("index"), piece.get("name") or "", piece.get("id") or ""
            more = bool((piece.get("args") or "").strip())
            call = self._continued(index, name, call_id, more)
            if call is None:
                call = Asked(index)
                self.asked.append(call)
            call.id = call.id or call_id
            if name != call.name:  # else it is repeated
                call.name += name
            call.pieces.append(piece.get("args") or "")

    def _continued(self, index: int | str | None, name: str, call_id: str, more: bool) -> Asked | None:
        """Return the call that a piece, with `more` arguments or none, goes on with; None for a new one."""
        if index is None and not (name or call_id):  # only its first piece had one
            return self.asked[-1] if self.asked else None
        same = [call for call in self.asked if call.index == index]
        if index is None and call_id:
            same = [call for call in same if call.id == call_id]
        if not same or (call_id and same[-1].id and call_id != same[-1].id):
            return None
        if not call_id and name and (index is None or (more and same[-1].is_whole)):
            return None
        return same[-1]

    def made(self, before: Sequence[BaseMessage], named_anew: bool) -> tuple[list[ToolCall], list[Fault]]:
        """Return the calls that can be made, and the faults of the others.

        A call without an id is given one, and with `named_anew` one whose id another call has already, in
        this answer or in the messages `before` it: results are told apart by nothing else.
        """
        taken = ids_in(before)
        calls, faults = [], []
        for asked in self.asked:
            if not asked.id or (named_anew and asked.id in taken):
                asked.id = f"call_{uuid4().hex}"
            taken.add(asked.id)
            arguments = object_of(asked)
            if isinstance(arguments, Fault):
                faults.append(arguments)
            else:
                calls.append(tool_call(name=asked.name.strip(), args=arguments, id=asked.id))
        return calls, faults


def object_of(asked: Asked) -> dict[str, Any] | Fault:
    """Return the arguments of a call, or what is wrong with it."""
    if not asked.name:
        return Fault(asked, "The call names no tool.")
    text = asked.arguments.strip()
    try:
        value = json.loads(text, strict=False) if text else {}
    except (ValueError, RecursionError) as error:
        return Fault(asked, f"The arguments are no JSON: {error}.")
    if isinstance(value, dict):
        return dict(mended(value))
    return Fault(
        asked, f"The arguments are JSON, but no object: they are of the type {type(value).__name__}."
    )


def mended(value: Any) -> Any:
    """Return a value out of JSON with its texts whole; numbers stay as they are, NaN too."""
    if isinstance(value, str):
        return whole_text(value)
    if isinstance(value, dict):
        return {whole_text(name): mended(item) for name, item in value.items()}
    return [mended(item) for item in value] if isinstance(value, list) else value


def ids_in(messages: Iterable[BaseMessage]) -> set[str]:
    """Return the ids of the tool calls in messages."""
    return {call["id"] or "" for one in messages if isinstance(one, AIMessage) for call in one.tool_calls}


def chunks_of(calls: Iterable[ToolCall]) -> list[ToolCallChunk]:
    """Return whole calls as pieces of a stream, one for each."""
    return [
        tool_call_chunk(name=call["name"], args=json.dumps(call["args"]), id=call["id"], index=place)
        for place, call in enumerate(calls)
    ]


def told_of(faults: Sequence[Fault], calls: Sequence[ToolCall], text: str) -> list[BaseMessage]:
    """Return the messages that tell the model which of its calls could not be made; none of them was."""
    empty = [tool_call(name=one.call.name or "unknown", args={}, id=one.call.id) for one in faults]
    answers = [
        ToolMessage(
            f"Not run. {fault.told} They were: {fault.call.arguments[:SHOWN]}\n"
            "Call it again with one JSON object that has its arguments, and nothing around it.",
            tool_call_id=fault.call.id,
            name=fault.call.name or "unknown",
            status="error",
        )
        for fault in faults
    ]
    others = [
        ToolMessage(
            "Not run, since another call of the same answer was faulty. Make this one again, too.",
            tool_call_id=call["id"],
            name=call["name"],
            status="error",
        )
        for call in calls
    ]
    return [AIMessage(text, tool_calls=[*empty, *calls]), *answers, *others]
