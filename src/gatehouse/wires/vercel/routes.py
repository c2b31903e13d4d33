"""The AI SDK's UI stream: ask in a chat, resume its answer, stop it."""

from collections.abc import Collection
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import StringConstraints

from gatehouse.identity.principal import READ_RUNS, WRITE_RUNS, Principal
from gatehouse.problems.errors import (
    Conflict,
    InsufficientScope,
    InvalidInput,
    NotFound,
    Unauthenticated,
    UnsupportedMediaType,
)
from gatehouse.registry.offered import offered
from gatehouse.runs.events import BEGINNING, Cursor
from gatehouse.runs.records import RunRecord
from gatehouse.services import Services, services_of
from gatehouse.web.dependencies import CurrentPrincipal, json_body
from gatehouse.web.request_state import admission_of
from gatehouse.wires import sse
from gatehouse.wires.event_stream import EventStream
from gatehouse.wires.projection import followed
from gatehouse.wires.questions import chosen, start
from gatehouse.wires.run_api.routes import IdempotencyKey
from gatehouse.wires.vercel.approving import decided
from gatehouse.wires.vercel.chats import forked, named_thread, running, thread_of
from gatehouse.wires.vercel.parsing import UIChat
from gatehouse.wires.vercel.paths import PREFIX
from gatehouse.wires.vercel.projection import UIMessageStream

VERSION = {"x-vercel-ai-ui-message-stream": "v1"}
NOTHING: dict[int | str, dict[str, str]] = {204: {"description": "nothing goes on in this chat"}}
REFUSALS = {**InsufficientScope.schema(), **NotFound.schema()}
STARTING = {**REFUSALS, **Conflict.schema(), **UnsupportedMediaType.schema(), **InvalidInput.schema()}

Chat = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Message = Annotated[
    str | None, Query(max_length=200, description="an answer's id: it is told also when it has ended")
]
router = APIRouter(prefix=PREFIX, tags=["AI SDK"], responses=Unauthenticated.schema())


@router.post(
    "/{entry:path}/chat",
    response_class=EventStream,
    responses=STARTING,
    dependencies=[Depends(json_body)],
)
async def ask(
    request: Request,
    principal: CurrentPrincipal,
    entry: str,
    body: UIChat,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Answer the last message as a UI message stream. The server has the ones before it."""
    services = services_of(request)
    if answers := body.answers:
        run = await decided(services, principal, answers)
        return streamed(services, principal, run, BEGINNING, [answer.id for answer in answers])
    runnable = chosen(offered(services.settings, principal, services.entries), principal, entry).name
    thread_id = await thread_of(services, principal, runnable, body.id)
    shown = await services.threads.shown(principal, thread_id) if thread_id else []
    started = await start(
        services,
        principal,
        body.question(runnable, thread_id),
        idempotency_key,
        admission_of(request),
        forks=forked(body, shown),
        new_thread=named_thread(principal, runnable, body.id),
        keyed=body.model_dump(),
    )
    return streamed(services, principal, started.run, BEGINNING)


@router.get(
    "/{entry:path}/chat/{chat}/stream",
    response_class=EventStream,
    responses={**NOTHING, **REFUSALS, **InvalidInput.schema()},
)
async def resume(
    request: Request,
    principal: CurrentPrincipal,
    entry: str,
    chat: Chat,
    message: Message = None,
) -> Response:
    """Tell the answer that goes on in a chat from its beginning; 204 when there is none."""
    services = services_of(request)
    if message:
        run = await services.runs.get(principal, message)
    elif (found := await running(services, principal, entry, chat, READ_RUNS)) is None:
        return Response(status_code=204)
    else:
        run = found
    services.runs.observer.resumed("ui")
    return streamed(services, principal, run, run.last_event)


@router.post(
    "/{entry:path}/chat/{chat}/stop", status_code=204, responses={**REFUSALS, **InvalidInput.schema()}
)
async def stop(request: Request, principal: CurrentPrincipal, entry: str, chat: Chat) -> None:
    """Stop the answer that goes on in a chat. What came is kept."""
    services = services_of(request)
    if run := await running(services, principal, entry, chat, WRITE_RUNS):
        await services.runs.cancel(run.id)


def streamed(
    services: Services, principal: Principal, run: RunRecord, until: Cursor, answered: Collection[str] = ()
) -> Response:
    """Return a run as a UI message stream; what came before the record at `until` is told as what stands.

    With approvals that were `answered` it is what follows in the message that asked them.
    """
    response = sse.event_stream(
        run.id,
        followed(services, principal, run),
        UIMessageStream(run, until, answered),
        services.settings.send_timeout,
    )
    response.headers.update(VERSION)
    return response
