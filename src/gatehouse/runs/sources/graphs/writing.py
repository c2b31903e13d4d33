"""What the nodes of a graph write to its state."""

from collections.abc import Iterator
from typing import Any

from langchain_core.messages import BaseMessage

from gatehouse.runs.sources.steps import Path, StateChanged, Step, steps_in


class Writing:
    """What the nodes of a graph wrote to its state: each message once, and none that was there before."""

    def __init__(self) -> None:
        self._known: set[str | int] = set()
        self._begun = False

    def began(self, state: Any) -> bool:
        """Note the messages that a graph began with, if this is its first state; tell whether it is."""
        first, self._begun = not self._begun, True
        if first:
            self._known.update(map(key_of, messages_of(state)))
        return first

    def changes(self, update: Any, path: Path) -> Iterator[Step]:
        """Yield what the nodes of one step wrote, and the messages among it."""
        if not isinstance(update, dict):
            return
        for node, written in update.items():
            if node.startswith("__"):  # an interrupt, or what LangGraph keeps for itself
                continue
            for part in written if isinstance(written, list | tuple) else [written]:
                if part is not None:
                    yield StateChanged(node, part, path)
                    yield from self._messages(part, path)

    def _messages(self, written: Any, path: Path) -> Iterator[Step]:
        for message in messages_of(written):
            if key_of(message) not in self._known:
                self._known.add(key_of(message))
                yield from steps_in(message, path)


def key_of(message: BaseMessage) -> str | int:
    return message.id or id(message)


def messages_of(written: Any) -> Iterator[BaseMessage]:
    """Yield the messages that a node wrote, whatever the field."""
    if not isinstance(written, dict):
        return
    for value in written.values():
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, BaseMessage):
                yield item
