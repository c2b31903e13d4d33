"""LangServe's JSON of what runnables return: also of what its own serializer has no word for."""

from typing import Any

import orjson
from langchain_core.messages import ToolMessage
from langserve.serialization import WellKnownLCSerializer
from pydantic import BaseModel

from gatehouse.plain_json import NotJson, from_json, json_bytes, named, on_one_line, refused


class Serializer(WellKnownLCSerializer):
    """LangServe's, with one JSON for whatever JSON has no word for (`gatehouse.plain_json`)."""

    def dumpd(self, obj: Any) -> Any:
        return from_json(self.dumps(obj))

    def dumps(self, obj: Any) -> bytes:
        try:
            return on_one_line(orjson.dumps(obj, default=dumped))
        except TypeError:
            return json_bytes(sendable(obj), named if is_of_inside(obj) else refused)


def sendable(value: Any) -> Any:
    """Return a value without those artifacts of tools that have no form in JSON."""
    if isinstance(value, ToolMessage):
        return value if is_json(value.artifact) else value.model_copy(update={"artifact": None})
    if isinstance(value, dict):
        return {name: sendable(item) for name, item in value.items()}
    return list(map(sendable, value)) if type(value) in (list, tuple) else value


def is_json(value: Any) -> bool:
    try:
        json_bytes(value)
    except NotJson:
        return False
    return True


def is_of_inside(value: Any) -> bool:
    """Tell whether a value is an event or a patch of the log: it has what steps hand on."""
    return isinstance(value, dict) and ({"event", "run_id"} <= value.keys() or value.keys() == {"ops"})


def dumped(value: Any) -> Any:
    """Return LangChain's objects as LangServe's clients expect them."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError


SERIALIZER = Serializer()
