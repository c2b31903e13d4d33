"""What is said of a runnable that is served, and what its factory is handed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langgraph.checkpoint.base import BaseCheckpointSaver
from pydantic import BaseModel, Field

from gatehouse.tools.building import ToolEntry


class TextInput(BaseModel):
    """What most runnables take."""

    input: str = Field(min_length=1, max_length=100_000, description="what the user says")


@dataclass(frozen=True, slots=True)
class Parts:
    """What a factory is handed to build its runnable from: `tools` are those of its entry."""

    model: BaseChatModel
    tools: Sequence[BaseTool] = ()
    checkpointer: BaseCheckpointSaver[Any] | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One runnable and how it is served.

    `path` starts with a slash and is one lower-case segment. `tools` are tools, or factories of them that
    are handed `Resources`; the factory gets them built, in `Parts`. `scope` is what a caller needs; by
    default `runnable:<name>`. `example` is a question for it, which a development server's banner asks.
    `default` is for the one that answers what is asked of no runnable in particular; without one the first
    does. `input_type` and `output_type` are what LangServe validates and documents; the runnable is invoked
    with an `input_type` as a dict of plain JSON.
    """

    path: str
    factory: Callable[[Parts], Runnable[Any, Any]]
    description: str
    tools: Sequence[ToolEntry] = ()
    input_type: type[BaseModel] = TextInput
    output_type: Any = str
    playground: Literal["default", "chat"] = "default"
    scope: str = ""
    example: str = ""
    default: bool = False

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
