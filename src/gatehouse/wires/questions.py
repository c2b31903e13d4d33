"""What a client asks of a runnable, and the run that is started for it, whatever wire it came over."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationError

from gatehouse.identity.principal import Principal
from gatehouse.limits.admission import Admission
from gatehouse.plain_json import json_bytes
from gatehouse.problems.errors import InsufficientScope, InvalidInput, NotFound
from gatehouse.problems.faults import StrictModel, told
from gatehouse.problems.models import ModelUnavailableProblem
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
        None, description="the runnable's name; by default that of the thread, or the first that is served"
    )
    multitask: Multitask = Field("reject", description="what to do when the thread has a run already")


async def start(
    services: Services, principal: Principal, chat: ChatRequest, key: str | None, admission: Admission
) -> Started:
    """Start a run in its thread, or in a new one, and charge it to the admission. Raises ApiError."""
    name = chat.runnable
    if name is None and chat.thread_id is not None:
        name = (await services.threads.get(principal, chat.thread_id)).runnable
    entry = chosen(offered(services.settings, principal, services.entries), principal, name)
    if key is None:  # with one it may be to join a run that has begun
        refuse_without_a_model(services, entry.path)
    try:
        value = entry.input_for(chat.query)
    except ValidationError as error:
        faults = told(error.errors(include_url=False, include_input=False, include_context=False))
        raise InvalidInput(errors=[{**fault, "loc": ["query"]} for fault in faults]) from None
    return await services.runs.start(
        principal,
        entry.path,
        value,
        thread_id=chat.thread_id,
        new_thread=chat.thread_id is None,
        grace=services.settings.disconnect_grace,
        multitask=chat.multitask,
        idempotency=(key, json_bytes(chat.model_dump())) if key else None,
        admission=admission,
    )


def chosen(served: Mapping[str, Entry], principal: Principal, name: str | None) -> Entry:
    """Return the entry of this name, or the first. Raises NotFound or InsufficientScope."""
    entry = next(iter(served.values()), None) if name is None else served.get(name)
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
