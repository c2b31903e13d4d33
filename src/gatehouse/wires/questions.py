"""What a client asks of a runnable, and the run that is started for it, whatever wire it came over."""

from collections.abc import Mapping
from typing import Annotated, Any

import orjson
from pydantic import Field, StringConstraints, ValidationError

from gatehouse.identity.principal import Principal
from gatehouse.limits.admission import Admission
from gatehouse.problems.errors import InsufficientScope, InvalidInput, NotFound
from gatehouse.problems.faults import StrictModel, told
from gatehouse.problems.models import ModelUnavailableProblem
from gatehouse.registry.default import default_entry
from gatehouse.registry.entry import Entry
from gatehouse.registry.offered import offered
from gatehouse.runs.engine import Started
from gatehouse.runs.lifecycle.turns import Multitask
from gatehouse.services import Services

# a length makes pydantic refuse what is no Unicode: lone surrogates, which JSON can hold and UTF-8 cannot
Name = Annotated[str, StringConstraints(max_length=200)]


class ChatRequest(StrictModel):
    """A message to a runnable."""

    query: str = Field(min_length=1, max_length=100_000, examples=["What is a bond?"])
    thread_id: Name | None = Field(None, description="the thread that goes on; without it a new one begins")
    runnable: Name | None = Field(
        None, description="the runnable's name; by default that of the thread, or the default entry"
    )
    attachments: list[Name] = Field([], max_length=10, description="ids of the files that it is about")
    multitask: Multitask = Field("reject", description="what to do when the thread has a run already")


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
        refuse_without_a_model(services)
    try:
        value = entry.input_for(chat.query)
    except ValidationError as error:
        faults = told(error.errors(include_url=False, include_input=False, include_context=False))
        raise InvalidInput(errors=[{**fault, "loc": ["query"]} for fault in faults]) from None
    asked = {name: value for name, value in chat.model_dump().items() if name != "attachments" or value}
    place = {"forks": forks} if forks else {}
    files = [await attached(services, principal, attachment_id) for attachment_id in chat.attachments]
    return await services.runs.start(
        principal,
        entry.path,
        value,
        thread_id=chat.thread_id,
        new_thread=chat.thread_id is None,
        grace=services.settings.disconnect_grace,
        multitask=chat.multitask,
        forks=forks,
        attachments=files,
        idempotency=(key, orjson.dumps({**asked, **place})) if key else None,
        admission=admission,
    )


async def attached(services: Services, principal: Principal, attachment_id: str) -> dict[str, Any]:
    """Return what is known of a file of the principal's. Raises NotFound."""
    known = await services.attachments.get(principal, attachment_id)
    return known.model_dump(include={"id", "name", "media_type", "size"})


def chosen(served: Mapping[str, Entry], principal: Principal, name: str | None) -> Entry:
    """Return the entry of this name, or the default one. Raises NotFound or InsufficientScope."""
    entry = default_entry(served, principal) if name is None else served.get(name)
    if entry is None:
        raise NotFound("There is no such runnable.")
    if not principal.may(entry.required_scope):
        raise InsufficientScope(entry.required_scope)
    return entry


def refuse_without_a_model(services: Services) -> None:
    """Raise ModelUnavailableProblem while no model may be asked, rather than begin a run that can only fail.

    That is while the circuit is open, of the fallback too if there is one. Any runnable counts as one that
    needs the model: which of them do, only they know.
    """
    if seconds := services.model.model.seconds_to_wait():
        raise ModelUnavailableProblem(seconds)
