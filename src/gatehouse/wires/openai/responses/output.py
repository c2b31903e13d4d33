"""The output items of a response as they come to be, and the events that tell of them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gatehouse.plain_json import json_text

Event = tuple[str, dict[str, Any]]  # its type, and what it says beside its number
SERVER = "gatehouse"  # the label of the tools that run on this side
APPROVAL = "mcpr"
PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "mcp_call": "mcp",
    "function_call": "fc",
    "mcp_approval_request": APPROVAL,
}


@dataclass(slots=True)
class Item:
    """An output item. `void` is one that turned out to be no part of the answer."""

    index: int
    body: dict[str, Any]
    texts: list[str] = field(default_factory=list)
    void: bool = False

    @property
    def place(self) -> dict[str, Any]:
        return {"item_id": self.body["id"], "output_index": self.index}

    def added(self) -> Event:
        return "response.output_item.added", {"output_index": self.index, "item": dict(self.body)}

    def done(self) -> Event:
        return "response.output_item.done", {"output_index": self.index, "item": dict(self.body)}


class Output:
    """The items of one response, the open ones among them: a message or reasoning, and calls at work."""

    def __init__(self, name: str) -> None:
        """`name` is what the ids of the items are made of."""
        self._name = name
        self._items: list[Item] = []
        self._message: Item | None = None
        self._reasoning: Item | None = None
        self._calls: dict[str, Item] = {}

    def told(self) -> list[dict[str, Any]]:
        """Return the items as they are now, without those that are void."""
        return [self._shown(item) for item in self._items if not item.void]

    def say(self, text: str) -> Iterator[Event]:
        """Add text to the message that is open, or to a new one."""
        yield from self._end_reasoning()
        if self._message is None:
            self._message = self._new("message", role="assistant", content=[])
            yield self._message.added()
            yield "response.content_part.added", {**self._message.place, "content_index": 0, "part": part("")}
        self._message.texts.append(text)
        delta = {"content_index": 0, "delta": text, "logprobs": []}
        yield "response.output_text.delta", {**self._message.place, **delta}

    def think(self, text: str) -> Iterator[Event]:
        """Add text to the reasoning that is open, or to a new one."""
        if self._reasoning is None:
            yield from self.end_message()
            self._reasoning = self._new("reasoning", summary=[])
            yield self._reasoning.added()
            place = {**self._reasoning.place, "summary_index": 0}
            yield "response.reasoning_summary_part.added", {**place, "part": summary("")}
        self._reasoning.texts.append(text)
        place = {**self._reasoning.place, "summary_index": 0}
        yield "response.reasoning_summary_text.delta", {**place, "delta": text}

    def _end_reasoning(self) -> Iterator[Event]:
        item, self._reasoning = self._reasoning, None
        if item is None:
            return
        text = "".join(item.texts)
        place = {**item.place, "summary_index": 0}
        yield "response.reasoning_summary_text.done", {**place, "text": text}
        yield "response.reasoning_summary_part.done", {**place, "part": summary(text)}
        item.body |= {"status": "completed", "summary": [summary(text)]}
        yield item.done()

    def end_message(self) -> Iterator[Event]:
        """Finish the message or the reasoning that is open, if one is."""
        yield from self._end_reasoning()
        item, self._message = self._message, None
        if item is None:
            return
        text = "".join(item.texts)
        place = {**item.place, "content_index": 0}
        yield "response.output_text.done", {**place, "text": text, "logprobs": []}
        yield "response.content_part.done", {**place, "part": part(text)}
        item.body |= {"status": "completed", "content": [part(text)]}
        yield item.done()

    def call(self, call_id: str, name: str, arguments: Any) -> Iterator[Event]:
        """Begin a call of a tool that runs on this side."""
        yield from self.end_message()
        nothing = {"arguments": "", "output": None, "error": None}
        item = self._new("mcp_call", name=name, server_label=SERVER, **nothing)
        self._calls[call_id] = item
        yield item.added()
        yield "response.mcp_call.in_progress", item.place
        item.body["arguments"] = json_text(arguments)
        yield "response.mcp_call_arguments.done", {**item.place, "arguments": item.body["arguments"]}

    def returned(self, call_id: str, output: str, *, failed: bool) -> Iterator[Event]:
        """Finish a call."""
        item = self._calls.pop(call_id, None)
        if item is None:
            return
        told = {"error": output} if failed else {"output": output}
        item.body |= {**told, "status": "failed" if failed else "completed"}
        yield f"response.mcp_call.{item.body['status']}", item.place
        yield item.done()

    def function_call(self, call_id: str, name: str, arguments: str) -> Iterator[Event]:
        """Tell a call that the client is to make."""
        item = self._new("function_call", call_id=call_id, name=name, arguments="")
        yield item.added()
        yield "response.function_call_arguments.delta", {**item.place, "delta": arguments}
        yield "response.function_call_arguments.done", {**item.place, "name": name, "arguments": arguments}
        item.body |= {"arguments": arguments, "status": "completed"}
        yield item.done()

    def approval(self, approval_id: str, name: str, arguments: Any) -> Iterator[Event]:
        """Tell that a call of this side waits for a person."""
        yield from self.end_message()
        item = self._new(
            "mcp_approval_request", name=name, arguments=json_text(arguments), server_label=SERVER
        )
        item.body |= {"id": f"{APPROVAL}_{approval_id}"}
        del item.body["status"]  # it has none
        yield item.added()
        yield item.done()

    def take_back(self, *, calls: bool) -> Iterator[Event]:
        """Make what was said void, with `calls` the calls too; what is open ends as incomplete."""
        words = [item for item in (self._message, self._reasoning) if item]
        for item in [*words, *(self._calls.values() if calls else ())]:
            item.body |= {**self._shown(item), "status": "incomplete"}
            item.void = True
            yield item.done()
        self._message = self._reasoning = None
        if calls:
            self._calls.clear()
        for item in self._items:
            item.void = item.void or calls or item.body["type"] == "message"

    def _new(self, kind: str, **body: Any) -> Item:
        index = len(self._items)
        about = {"id": f"{PREFIXES[kind]}_{self._name}_{index}", "type": kind, "status": "in_progress"}
        self._items.append(Item(index, about | body))
        return self._items[-1]

    def _shown(self, item: Item) -> dict[str, Any]:
        if item is self._message:
            return {**item.body, "content": [part("".join(item.texts))]}
        if item is self._reasoning:
            return {**item.body, "summary": [summary("".join(item.texts))]}
        return dict(item.body)


def part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def summary(text: str) -> dict[str, Any]:
    return {"type": "summary_text", "text": text}
