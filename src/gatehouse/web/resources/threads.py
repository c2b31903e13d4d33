"""The routes of threads: list, begin, read, rename and delete them, and read their messages."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field, StringConstraints

from gatehouse.identity.principal import READ_THREADS, WRITE_THREADS, Principal
from gatehouse.problems.errors import (
    BadRequest,
    Conflict,
    InsufficientScope,
    InvalidInput,
    NotFound,
    Unauthenticated,
)
from gatehouse.problems.faults import StrictModel
from gatehouse.registry.default import default_entry
from gatehouse.registry.entry import ServedEntry
from gatehouse.registry.offered import offered
from gatehouse.runs.conversation.places import state_key
from gatehouse.services import services_of
from gatehouse.threads.models import MessagePage, Thread, ThreadPage
from gatehouse.web.dependencies import CurrentPrincipal, requires

router = APIRouter(
    prefix="/api/threads",
    tags=["threads"],
    responses={**Unauthenticated.schema(), **InsufficientScope.schema()},
)
READING, WRITING = [Depends(requires(READ_THREADS))], [Depends(requires(WRITE_THREADS))]

Limit = Annotated[int, Query(ge=1, le=100, description="most items of the page")]
After = Annotated[str | None, Query(description="`next_cursor` of the page before", examples=["bTUw"])]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class NewThread(StrictModel):
    """What a thread is begun with."""

    runnable: str | None = Field(
        None, description="the runnable's name; by default the default entry", examples=["chat"]
    )
    title: Title | None = Field(
        None, description="by default the first message gives it", examples=["Savings plan"]
    )


class Renaming(StrictModel):
    """The thread's new title."""

    title: Title = Field(examples=["Savings plan"])


class Branch(StrictModel):
    """Which branch of a thread is shown."""

    message_id: Annotated[str, StringConstraints(max_length=36)] = Field(description="a message on it")


@router.get("", dependencies=READING, responses={**BadRequest.schema(), **InvalidInput.schema()})
async def list_threads(
    request: Request, principal: CurrentPrincipal, limit: Limit = 50, cursor: After = None
) -> ThreadPage:
    """The caller's threads, that with the newest message first."""
    return await services_of(request).threads.page(principal, limit, cursor)


@router.post(
    "", status_code=201, dependencies=WRITING, responses={**NotFound.schema(), **InvalidInput.schema()}
)
async def begin_thread(request: Request, principal: CurrentPrincipal, new: NewThread) -> Thread:
    """Begin a thread, that runs can then be started in."""
    services = services_of(request)
    entries = offered(services.settings, principal, services.entries)
    return await services.threads.create(
        principal, served_name(entries, principal, new.runnable), new.title or ""
    )


@router.get("/{thread_id}", dependencies=READING, responses=NotFound.schema())
async def read_thread(request: Request, principal: CurrentPrincipal, thread_id: str) -> Thread:
    """One of the caller's threads."""
    return await services_of(request).threads.get(principal, thread_id)


@router.patch("/{thread_id}", dependencies=WRITING, responses={**NotFound.schema(), **InvalidInput.schema()})
async def rename_thread(
    request: Request, principal: CurrentPrincipal, thread_id: str, renaming: Renaming
) -> Thread:
    """Give the thread another title."""
    return await services_of(request).threads.rename(principal, thread_id, renaming.title)


@router.delete("/{thread_id}", status_code=204, dependencies=WRITING, responses=NotFound.schema())
async def delete_thread(request: Request, principal: CurrentPrincipal, thread_id: str) -> None:
    """Erase the thread, its messages and its runs. A run that goes on is stopped."""
    services = services_of(request)
    runs = await services.threads.delete(principal, thread_id)
    owner = principal.tenant_id, principal.user_id
    await services.runs.erase(runs, owner[0], [state_key(*owner, thread_id, run_id) for run_id in runs])


@router.put(
    "/{thread_id}/branch",
    dependencies=WRITING,
    responses={**NotFound.schema(), **Conflict.schema(), **InvalidInput.schema()},
)
async def show_branch(
    request: Request, principal: CurrentPrincipal, thread_id: str, choice: Branch
) -> Thread:
    """Show the branch that a message is on: what is before it, and the newest of what follows."""
    services = services_of(request)
    if run_id := await services.runs.control.run_of(principal, thread_id):
        raise Conflict("This thread has a run that has not ended.", run_id=run_id)
    return await services.threads.show(principal, thread_id, choice.message_id)


@router.get(
    "/{thread_id}/messages",
    dependencies=READING,
    responses={**BadRequest.schema(), **NotFound.schema(), **InvalidInput.schema()},
)
async def list_messages(
    request: Request, principal: CurrentPrincipal, thread_id: str, limit: Limit = 50, cursor: After = None
) -> MessagePage:
    """The messages of the branch that is shown, the oldest first, with the tools that an answer used."""
    return await services_of(request).threads.messages(principal, thread_id, limit, cursor)


def served_name(served: Mapping[str, ServedEntry], principal: Principal, name: str | None) -> str:
    """Return the name of a runnable that is served, or of the default one. Raises NotFound."""
    entry = default_entry(served, principal) if name is None else served.get(name.removeprefix("/"))
    if entry is None:
        raise NotFound("There is no such runnable.")
    return entry.name
