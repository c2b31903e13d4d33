"""What is said of a runnable that is served, and what its factory is handed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import ConfigurableFieldSpec, Runnable
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver

from gatehouse.registry.shape import Shape
from gatehouse.tools.building import ToolEntry


@dataclass(frozen=True, slots=True)
class Parts:
    """What a factory is handed to build its runnable from: `tools` are those of its entry."""

    model: BaseChatModel
    tools: Sequence[BaseTool] = ()
    checkpointer: BaseCheckpointSaver[Any] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One runnable and how it is served.

    `path` starts with a slash; its segments are lower-case. `tools` are tools, or factories of them that are
    handed `Resources`; the factory gets them built, in `Parts`. `scope` is what a caller needs; by default
    `runnable:<name>`. `example` is a question for it, which a development server's banner asks. `default` is
    for the one that answers what is asked of no runnable in particular; without one the first does.

    `input_type` and `output_type` take the place of the types that are read off the runnable. A graph of
    messages whose output is a message (`AIMessageChunk`) is served as one that takes text and streams its
    answer. `answering` names the nodes of a graph that answer, where that cannot be read off it.
    `configurable` names the fields that a client may configure; `client_history` says that a client may send
    what an assistant said before, `client_tracing` that its tags and metadata reach traces.
    `memory` is what a thread keeps: its messages, the graph's own state, or nothing. `checkpoint_types` are
    types of objects in a state that its declaration does not name; LangChain's own are known.
    """

    path: str
    factory: Callable[[Parts], Runnable[Any, Any]]
    description: str
    tools: Sequence[ToolEntry] = ()
    input_type: Any = None
    output_type: Any = None
    playground: Literal["default", "chat"] = "default"
    scope: str = ""
    example: str = ""
    default: bool = False
    answering: Sequence[str] = ()
    configurable: Sequence[str] = ()
    client_history: bool = False
    client_tracing: bool = False
    memory: Literal["messages", "state", "none"] = "messages"
    shows_state: bool = False
    checkpoint_types: Sequence[type] = ()

    @property
    def name(self) -> str:
        return self.path.removeprefix("/")

    @property
    def required_scope(self) -> str:
        return self.scope or f"runnable:{self.name}"

    @property
    def takes_history(self) -> bool:
        """Tell whether a client may send an assistant's messages; a chat playground has to."""
        return self.client_history or self.playground == "chat"


@dataclass(frozen=True, slots=True)
class ServedEntry(Entry):
    """An entry with what is read off its runnable: `fields` are those that a client may configure."""

    shape: Shape = field(kw_only=True)
    fields: Sequence[ConfigurableFieldSpec] = field(default=(), kw_only=True)
