"""What is served: the one list. To serve a chain, write its file and add its line here."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from pydantic import BaseModel, Field

from chains import agent, chat, summarize


class TextInput(BaseModel):
    """What most runnables take."""

    input: str = Field(min_length=1, max_length=100_000, description="what the user says")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a factory is handed to build its runnable from."""

    model: BaseChatModel
    tools: Sequence[BaseTool]
    checkpointer: BaseCheckpointSaver[Any] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One runnable and how it is served.

    `path` starts with a slash and is one lower-case segment. `scope` is what a caller needs; by default
    `runnable:<name>`. `input_type` and `output_type` are what LangServe validates and documents; the
    runnable is invoked with an `input_type` as a dict of plain JSON.
    """

    path: str
    factory: Callable[[Parts], Runnable[Any, Any]]
    description: str
    input_type: type[BaseModel] = TextInput
    output_type: Any = str
    playground: Literal["default", "chat"] = "default"
    scope: str = ""

    @property
    def name(self) -> str:
        return self.path.removeprefix("/")

    @property
    def required_scope(self) -> str:
        return self.scope or f"runnable:{self.name}"

    @property
    def spoken_field(self) -> str | None:
        """The input's field that takes what a person says; None when there is no single one."""
        fields = self.input_type.model_fields
        required = [name for name, field in fields.items() if field.is_required()]
        return "input" if "input" in fields else required[0] if len(required) == 1 else None

    def input_for(self, query: str) -> dict[str, Any]:
        """Return the input that says `query`: in the field `input`, or in the only required field."""
        return self.plain({self.spoken_field or "": query})

    def plain(self, value: Any) -> dict[str, Any]:
        """Return an input as the runnable gets it: what a run is stored and made again from, so JSON."""
        return self.input_type.model_validate(value).model_dump(mode="json")


REGISTRY: tuple[Entry, ...] = (
    Entry("/chat", chat.build, "Answers questions about banking and investing."),
    Entry(
        "/summarize",
        summarize.build,
        "Summarises a text into a title, a summary and key points.",
        input_type=summarize.Request,
        output_type=summarize.Summary,
    ),
    Entry(
        "/agent",
        agent.build,
        "An investment assistant that calls tools on the caller's own portfolio.",
        output_type=AIMessageChunk,
    ),
)

RESERVED = frozenset({
    "api", "assets", "auth", "docs", "livez", "metrics", "openapi.json", "readyz", "signin", "threads",
    "transports", "ws",
})  # fmt: skip


class BadRegistry(Exception):
    """An entry that cannot be served; the message names it and says what is wrong."""


def check(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    """Return `entries`, or raise BadRegistry for a bad or duplicate path or a missing description."""
    seen: set[str] = set()
    for entry in entries:
        if not re.fullmatch(r"/[a-z0-9][a-z0-9_-]*", entry.path):
            raise BadRegistry(f"{entry.path!r}: a path is a slash and one segment of a-z, 0-9, - and _")
        if entry.name in RESERVED:
            raise BadRegistry(f"{entry.path}: Gatehouse itself answers under this path")
        if entry.path in seen:
            raise BadRegistry(f"{entry.path}: this path is in the registry twice")
        if not entry.description.strip():
            raise BadRegistry(f"{entry.path}: the description is missing")
        seen.add(entry.path)
    return tuple(entries)


def build(entries: Sequence[Entry], parts: Parts) -> dict[str, Runnable[Any, Any]]:
    """Return the runnable of every entry by its path. Raises BadRegistry with the name of a failing one."""
    runnables: dict[str, Runnable[Any, Any]] = {}
    for entry in entries:
        try:
            runnable = entry.factory(parts)
        except Exception as error:
            raise BadRegistry(f"{entry.path}: its factory failed: {error}") from error
        if not isinstance(runnable, Runnable):
            raise BadRegistry(f"{entry.path}: its factory returned {type(runnable).__name__}, not a Runnable")
        # a bare agent graph would stream node updates instead of the answer
        if isinstance(runnable, CompiledStateGraph):
            runnable = agent.StreamingAgent(runnable)
        runnables[entry.path] = runnable
    return runnables
