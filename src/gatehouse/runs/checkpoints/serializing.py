"""How checkpoints are written, whatever is in them, and read back: objects of known types alone."""

import dataclasses
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import structlog
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Send
from pydantic import BaseModel

log = structlog.get_logger(__name__)

INTEGERS = range(-(2**63), 2**64)  # that msgpack has room for


class CheckpointSerializer(JsonPlusSerializer):
    """LangGraph's serializer, and what it fails on.

    An integer over 64 bits is kept as a Decimal, which is the same number to a tool. A tool's artifact that
    cannot be kept is left out, which is logged: a later attempt has the tool's result without it.
    """

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        try:
            return super().dumps_typed(obj)
        except TypeError:
            return super().dumps_typed(self._keepable(obj))

    def _keepable(self, value: Any) -> Any:
        if isinstance(value, int) and value not in INTEGERS:
            return Decimal(value)
        if isinstance(value, BaseMessage):
            return self._message(value)
        if isinstance(value, dict):
            return {self._keepable(name): self._keepable(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._keepable(item) for item in value]
        if type(value) is tuple:
            return tuple(self._keepable(item) for item in value)
        return self._object(value)

    def _object(self, value: Any) -> Any:
        """Return an object with parts that can be kept: where a graph goes next, a state of a class."""
        if isinstance(value, Send):
            return Send(value.node, self._keepable(value.arg), timeout=value.timeout)
        if isinstance(value, BaseModel):
            return value.model_copy(update={name: self._keepable(part) for name, part in value})
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            fields = [field.name for field in dataclasses.fields(value) if field.init]
            parts = {name: self._keepable(getattr(value, name)) for name in fields}
            return dataclasses.replace(value, **parts)
        return value

    def _message(self, message: BaseMessage) -> BaseMessage:
        changes: dict[str, Any] = {
            "content": self._keepable(message.content),
            "additional_kwargs": self._keepable(message.additional_kwargs),
            "response_metadata": self._keepable(message.response_metadata),
        }
        if isinstance(message, AIMessage):
            changes["tool_calls"] = self._keepable(message.tool_calls)
        if isinstance(message, ToolMessage) and not self._can_be_kept(message.artifact):
            log.warning(
                "a tool's artifact cannot be kept", tool=message.name, type=type(message.artifact).__name__
            )
            changes["artifact"] = None
        return message.model_copy(update=changes)

    def _can_be_kept(self, artifact: Any) -> bool:
        try:
            super().dumps_typed(artifact)
        except Exception:  # whatever an object of somebody's raises when it is looked into
            return False
        return True


def serializer(allowed: Iterable[type] = ()) -> CheckpointSerializer:
    """Return a serializer that makes no object but of LangChain's own types, and of those `allowed`.

    What a checkpoint names is imported and called otherwise: who can write to the table would run code
    here. A value of any other type comes back as what it was made of. Pickles are not read at all.
    """
    names = {(kind.__module__, kind.__name__) for kind in allowed}
    return CheckpointSerializer(pickle_fallback=False, allowed_msgpack_modules=names or None)
