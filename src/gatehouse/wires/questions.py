"""What a client asks of a runnable, and the run that is started for it, whatever wire it came over."""

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from gatehouse.identity.principal import Principal
from gatehouse.limits.admission import Admission
from gatehouse.plain_json import json_bytes
from gatehouse.problems.errors import InsufficientScope, InvalidInput, NotFound, PayloadTooLarge
from gatehouse.problems.faults import StrictModel
from gatehouse.problems.models import ModelUnavailableProblem
from gatehouse.registry.default import default_entry
from gatehouse.registry.entry import ServedEntry
from gatehouse.registry.offered import offered
from gatehouse.registry.saying import CannotBeSaid, in_langchains_form
from gatehouse.registry.taking import configured, taken
from gatehouse.runs.lifecycle.starting import Started
from gatehouse.runs.lifecycle.turns import Multitask
from gatehouse.services import Services

# a length makes pydantic refuse what is no Unicode: lone surrogates, which JSON can hold and UTF-8 cannot
Name = Annotated[str, StringConstraints(max_length=200)]


class ChatRequest(StrictModel):
    """Something that is asked of a runnable: a text, messages, or its whole input."""

    query: str | None = Field(None, min_length=1, max_length=100_000, examples=["What is a bond?"])
    messages: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=1000)] | None = Field(
        None,
        description="in place of a query: messages of LangChain's form or OpenAI's, the last one what is "
        "asked; their content may be blocks, images and files among them",
    )
    input: Any = Field(None, description="in place of a query: the runnable's whole input, of its own schema")
    thread_id: Name | None = Field(None, description="the thread that goes on; without it a new one begins")
    runnable: Name | None = Field(
        None, description="the runnable's name; by default that of the thread, or the default entry"
    )
    configurable: dict[str, Any] = Field({}, description="those fields that the runnable lets a client set")
    attachments: list[Name] = Field([], max_length=10, description="ids of the files that it is about")
    multitask: Multitask = Field("reject", description="what to do when the thread has a run already")

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        asked = {"query", "messages", "input"} & self.model_fields_set
        if len(asked) != 1 or (asked != {"input"} and getattr(self, *asked) is None):
            raise PydanticCustomError("one_question", "Give one of query, messages and input")
        return self

    def input_of(self, entry: ServedEntry) -> Any:
        """Return the input that is asked, as JSON. Raises InvalidInput."""
        if "input" in self.model_fields_set:
            return taken(entry, self.input, "input")
        where = "query" if self.messages is None else "messages"
        try:
            value = entry.shape.of_messages(self._said())
        except CannotBeSaid as error:
            fault = {"loc": [where], "msg": str(error), "type": "cannot_be_said"}
            raise InvalidInput(errors=[fault]) from None
        return taken(entry, value, where)

    def _said(self) -> list[dict[str, Any]]:
        if self.messages is None:
            return [{"type": "human", "content": self.query}]
        return list(map(in_langchains_form, self.messages))


async def start(
    services: Services,
    principal: Principal,
    chat: ChatRequest,
    key: str | None,
    admission: Admission,
    forks: str = "",
) -> Started:
    """Start a run in its thread, or in a new one, and charge it to the admission. Raises ApiError.

    `forks` is the message of its thread in whose place it is asked; empty: after the last.
    """
    name = chat.runnable
    if name is None and chat.thread_id is not None:
        name = (await services.threads.get(principal, chat.thread_id)).runnable
    entry = chosen(offered(services.settings, principal, services.entries), principal, name)
    if key is None:  # with one it may be to join a run that has begun
        refuse_without_a_model(services, entry.path)
    value = chat.input_of(entry)
    refuse_larger(services, entry, value)
    ignore_unknown = services.settings.unknown_configurable == "ignore"
    client = {"configurable": configured(entry, chat.configurable, ignore_unknown)}
    named = {"forks": forks} if forks else {}
    asked = {name: value for name, value in chat.model_dump().items() if name != "attachments" or value}
    if chat.attachments and not entry.shape.takes_files:
        raise InvalidInput("This runnable takes text alone, and no files.")
    files = [await attached(services, principal, attachment_id) for attachment_id in chat.attachments]
    return await services.runs.start(
        principal,
        entry.path,
        value,
        client=client,
        thread_id=chat.thread_id,
        new_thread=chat.thread_id is None,
        grace=services.settings.disconnect_grace,
        multitask=chat.multitask,
        forks=forks,
        attachments=files,
        idempotency=(key, json_bytes({**asked, **named})) if key else None,
        admission=admission,
    )


def refuse_larger(services: Services, entry: ServedEntry, value: Any) -> None:
    """Raise PayloadTooLarge for more than this entry takes, where others take more on the same path."""
    most = max(entry.max_bytes, services.settings.max_body_bytes)
    if any(other.max_bytes > most for other in services.entries.values()) and len(json_bytes(value)) > most:
        raise PayloadTooLarge(f"A request to this runnable may have {most} bytes.")


async def attached(services: Services, principal: Principal, attachment_id: str) -> dict[str, Any]:
    """Return what is known of a file of the principal's. Raises NotFound."""
    known = await services.attachments.get(principal, attachment_id)
    return known.model_dump(include={"id", "name", "media_type", "size"})


def chosen(served: Mapping[str, ServedEntry], principal: Principal, name: str | None) -> ServedEntry:
    """Return the entry of this name, or the default one. Raises NotFound or InsufficientScope."""
    entry = default_entry(served, principal) if name is None else served.get(name)
    if entry is None:
        raise NotFound("There is no such runnable.")
    if not principal.may(entry.required_scope):
        raise InsufficientScope(entry.required_scope)
    return entry


def refuse_without_a_model(services: Services, path: str) -> None:
    """Raise ModelUnavailableProblem while no model may be asked, rather than begin a run that can only fail.

    That is while the circuit is open, of the fallback too if there is one, and where the runnable at the path
    uses the model at all.
    """
    seconds = services.model.model.seconds_to_wait()
    if seconds and services.model.users.includes(path, services.runs.runnables.get(path)):
        raise ModelUnavailableProblem(seconds)
