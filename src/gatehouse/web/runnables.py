"""What the registry serves and the caller may use, for clients that let a person choose."""

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from gatehouse.problems.errors import Unauthenticated
from gatehouse.registry.default import default_entry
from gatehouse.registry.entry import ServedEntry
from gatehouse.registry.offered import offered
from gatehouse.registry.shapes.form import form_of, is_form_first
from gatehouse.registry.shapes.shape import Output
from gatehouse.services import services_of
from gatehouse.web.dependencies import CurrentPrincipal


class UsableRunnable(BaseModel):
    """A runnable, and how a client says something to it."""

    name: str = Field(examples=["agent"])
    path: Annotated[str, Field(description="LangServe's routes are under it", examples=["/agent"])]
    description: str
    input_field: str | None = Field(
        description="the field of its input that takes what a person says; null when there is no single one",
        examples=["input"],
    )
    form: dict[str, Any] | None = Field(
        description="the JSON Schema of its input, to fill in as a form; null where a text is all it takes"
    )
    form_first: bool = Field(
        description="whether the form is how it is asked: a text alone makes no input, or is no question"
    )
    example: str = Field(description="a question for it; empty when its entry names none")
    default: bool = Field(description="whether it answers what is asked of no runnable in particular")
    output: Output = Field(
        description="text; a message, as of an agent that uses tools; or data of a schema",
        examples=["message"],
    )
    answer_field: str | None = Field(
        description="of data, the field whose text is to be read; null without one", examples=["answer"]
    )
    takes_files: bool = Field(description="whether files can be asked about: images, audio, documents")
    adds_up: bool = Field(
        description="whether what LangServe's stream yields adds up to the answer; a graph's updates do not"
    )

    @classmethod
    def of(cls, entry: ServedEntry, *, default: bool) -> "UsableRunnable":
        return cls(
            name=entry.name,
            path=entry.path,
            description=entry.description,
            input_field=input_field(entry),
            form=form_of(entry.shape),
            form_first=is_form_first(entry.shape),
            example=entry.example,
            answer_field=entry.shape.answer_field,
            adds_up=entry.shape.adds_up,
            takes_files=entry.shape.takes_files,
            default=default,
            output=entry.shape.output,
        )


class UsableRunnables(BaseModel):
    """What the caller may use, in the registry's order. `model` names the chat model that answers."""

    model: str = Field(examples=["gpt-5-mini"])
    items: list[UsableRunnable]


router = APIRouter(prefix="/api", tags=["runs"], responses=Unauthenticated.schema())


@router.get("/runnables")
async def list_runnables(request: Request, principal: CurrentPrincipal) -> UsableRunnables:
    """The runnables that the caller may use."""
    services = services_of(request)
    entries = offered(services.settings, principal, services.entries)
    usable = [entry for entry in entries.values() if principal.may(entry.required_scope)]
    default = default_entry(entries, principal)
    items = [UsableRunnable.of(entry, default=entry is default) for entry in usable]
    return UsableRunnables(model=services.model.label, items=items)


def input_field(entry: ServedEntry) -> str | None:
    """Return the field of an entry's input that takes text: `input` also where it takes messages."""
    saying = entry.shape.saying
    if saying is None:
        return None
    return "input" if saying.kind == "messages" else saying.field
