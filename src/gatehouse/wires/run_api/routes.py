"""The run API: start a run, read it as JSON or events, join it again, stop it."""

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from gatehouse.auth.browser.origin import is_own_page
from gatehouse.identity.principal import WRITE_RUNS, Principal
from gatehouse.problems.approvals import ApprovalRequired
from gatehouse.problems.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    InsufficientScope,
    InvalidInput,
    NotFound,
    Unauthenticated,
    UnsupportedMediaType,
)
from gatehouse.problems.models import ModelMisconfiguredProblem, ModelTimeout
from gatehouse.runs.events import BEGINNING, Cursor, Usage, parse_cursor
from gatehouse.runs.records import RunRecord
from gatehouse.services import Services, services_of
from gatehouse.web.dependencies import CurrentPrincipal, json_body
from gatehouse.web.request_state import admission_of
from gatehouse.wires import sse
from gatehouse.wires.answers import completed
from gatehouse.wires.event_stream import EventStream
from gatehouse.wires.leaving import while_connected
from gatehouse.wires.projection import followed
from gatehouse.wires.questions import ChatRequest, start
from gatehouse.wires.run_api.models import ChatResponse, ChatWaiting, EventSourceParameters, RunState
from gatehouse.wires.run_api.projection import Plain, Typed

KEY_CHARACTERS = 200
IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=KEY_CHARACTERS,
        description="the same key and body from the same caller joins the first run",
    ),
]
LastEventId = Annotated[str | None, Header(description="read on after this event id; -1 is the start")]


OF_A_RUN = {**NotFound.schema(), **InsufficientScope.schema()}
NOTHING_MORE: dict[int | str, dict[str, Any]] = {
    204: {"description": "there is nothing more, and nothing will come"}
}
JOINING = {**NOTHING_MORE, **OF_A_RUN, **BadRequest.schema()}
STARTING = {
    **InsufficientScope.schema(),
    **NotFound.schema(),
    **Conflict.schema(),
    **UnsupportedMediaType.schema(),
    **InvalidInput.schema(),
}
WAITING: dict[int | str, dict[str, Any]] = {
    202: {"model": ChatWaiting, "description": "the run waits for people; it goes on when they have decided"}
}
ANSWERING = {**STARTING, **ModelMisconfiguredProblem.schema(), **ModelTimeout.schema()}


router = APIRouter(prefix="/api", tags=["runs"], responses=Unauthenticated.schema())


@router.post(
    "/chat",
    response_model=ChatResponse,
    responses={**ANSWERING, **WAITING},
    dependencies=[Depends(json_body)],
)
async def chat(
    request: Request,
    principal: CurrentPrincipal,
    body: ChatRequest,
    idempotency_key: IdempotencyKey = None,
) -> ChatResponse | Response:
    """Answer in one piece. A run that waits for people is answered with 202, and what it waits for."""
    services = services_of(request)
    admission = admission_of(request)
    started = await start(services, principal, body, idempotency_key, admission, in_one_piece=True)
    try:
        return await while_connected(request, answer(services, started.run))
    except ApprovalRequired as required:
        waits = await waiting(services, principal, started.run, required.extra["approval_ids"])
        return Response(waits.model_dump_json(by_alias=True), 202, media_type="application/json")


@router.post(
    "/chat/stream",
    response_class=EventStream,
    responses=STARTING,
    dependencies=[Depends(json_body)],
)
async def chat_stream(
    request: Request, principal: CurrentPrincipal, body: ChatRequest, idempotency_key: IdempotencyKey = None
) -> Response:
    """Answer as typed events."""
    services = services_of(request)
    started = await start(services, principal, body, idempotency_key, admission_of(request))
    return view(services, principal, started.run, BEGINNING, Typed)


@router.post("/stream", response_class=EventStream, responses=STARTING, dependencies=[Depends(json_body)])
async def plain_stream(
    request: Request, principal: CurrentPrincipal, body: ChatRequest, idempotency_key: IdempotencyKey = None
) -> Response:
    """Answer as plain tokens."""
    services = services_of(request)
    started = await start(services, principal, body, idempotency_key, admission_of(request))
    return view(services, principal, started.run, BEGINNING, Plain)


@router.get("/chat/stream", response_class=EventStream, responses={**NOTHING_MORE, **STARTING})
async def chat_event_source(
    request: Request, principal: CurrentPrincipal, parameters: Annotated[EventSourceParameters, Query()]
) -> Response:
    """Answer as typed events, for EventSource. With an idempotency_key its reconnection resumes the run."""
    return await for_event_source(request, principal, parameters, Typed)


@router.get("/stream", response_class=EventStream, responses={**NOTHING_MORE, **STARTING})
async def plain_event_source(
    request: Request, principal: CurrentPrincipal, parameters: Annotated[EventSourceParameters, Query()]
) -> Response:
    """Answer as plain tokens, for EventSource. With an idempotency_key its reconnection resumes the run."""
    return await for_event_source(request, principal, parameters, Plain)


@router.get("/runs/{run_id}", responses=OF_A_RUN)
async def run_state(request: Request, principal: CurrentPrincipal, run_id: str) -> RunState:
    """How far the run is, and its text so far."""
    return RunState.of(await services_of(request).runs.get(principal, run_id))


@router.get("/runs/{run_id}/stream", response_class=EventStream, responses=JOINING)
async def join(
    request: Request,
    principal: CurrentPrincipal,
    run_id: str,
    last_event_id: LastEventId = None,
    after: Annotated[str | None, Query(alias="last_event_id", description="the same in the query")] = None,
) -> Response:
    """Join the run, on any replica: from the start, or after the last event that was seen."""
    cursor = parse_cursor(last_event_id or after)
    services = services_of(request)
    run = await services.runs.get(principal, run_id)
    return view(services, principal, run, cursor, Typed)


@router.post("/runs/{run_id}/cancel", status_code=202, responses=OF_A_RUN)
async def cancel(request: Request, principal: CurrentPrincipal, run_id: str) -> RunState:
    """Stop the run now. What came is kept. A run that has ended stays as it is."""
    runs = services_of(request).runs
    await runs.get(principal, run_id, WRITE_RUNS)
    await runs.cancel(run_id)
    return RunState.of(await runs.get(principal, run_id, WRITE_RUNS))


async def for_event_source(
    request: Request, principal: Principal, parameters: EventSourceParameters, projection: type[Typed]
) -> Response:
    """Start a run for an EventSource, or join the one that it lost."""
    # CORS keeps another site from reading, not from asking. "none" is a person's own address bar
    own = is_own_page(request, services_of(request).settings.page_origins)
    if own is False and request.headers.get("sec-fetch-site") != "none":
        raise Forbidden("Another site may not start a run: GATEHOUSE_ALLOWED_ORIGINS lists those that may.")
    if not asks_by_script(request, principal):
        raise Forbidden("An address that is opened or embedded starts no run: an EventSource does.")
    # on its own reconnection a browser sends the header, and the address stays as it was
    last_event_id = request.headers.get("last-event-id") or parameters.last_event_id
    if last_event_id and not parameters.idempotency_key:
        return Response(status_code=204)  # answering would run the query a second time
    cursor = parse_cursor(last_event_id)
    services = services_of(request)
    key = parameters.idempotency_key
    started = await start(services, principal, parameters.chat(), key, admission_of(request))
    return view(services, principal, started.run, cursor, projection)


def asks_by_script(request: Request, principal: Principal) -> bool:
    """Tell whether a script or a program asks: no link, image or prefetch, of a mail or of a model's answer.

    A browser that says nothing of how it asks is known by its cookie: of those an EventSource
    says what it accepts.
    """
    headers = request.headers
    mode = headers.get("sec-fetch-mode")
    if mode is None and principal.credential == "session":
        return "text/event-stream" in headers.get("accept", "")
    return mode in (None, "cors", "same-origin") and headers.get("sec-fetch-dest", "empty") == "empty"


def view(
    services: Services, principal: Principal, run: RunRecord, cursor: Cursor, projection: type[Typed]
) -> Response:
    """Return the run's records after the cursor as events; 204 when there is none and none will come."""
    if run.finished and cursor >= run.last_event:
        return Response(status_code=204)  # tells an EventSource not to reconnect
    if cursor > BEGINNING:
        services.runs.observer.resumed("sse")
    records = followed(services, principal, run, cursor)
    return sse.event_stream(run.id, records, projection(run.id), services.settings.send_timeout)


async def waiting(
    services: Services, principal: Principal, run: RunRecord, approval_ids: Sequence[str]
) -> ChatWaiting:
    """Return what a run waits for."""
    approvals = [await services.approvals.get(principal, approval_id) for approval_id in approval_ids]
    return ChatWaiting(run_id=run.id, thread_id=run.thread_id, approvals=approvals)


async def answer(services: Services, run: RunRecord) -> ChatResponse:
    """Return the answer of a run when it has ended. Raises its problem, or Conflict if it was cancelled."""
    complete = await completed(run, services.runs.view(run.id))
    return ChatResponse(
        response=complete["content"],
        message=complete.get("message"),
        value=complete.get("value"),
        finish_reason=complete.get("finish_reason", "stop"),  # of a release that tells none
        run_id=run.id,
        thread_id=run.thread_id,
        usage=Usage(**complete["usage"]),
        usage_estimated=complete.get("usage_estimated", False),
    )
