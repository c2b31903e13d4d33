"""The run API: start a run, read it as JSON or events, join it again, stop it."""

from collections.abc import AsyncIterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from gatehouse.auth.browser.origin import is_own_page, media_type
from gatehouse.identity.principal import WRITE_RUNS, Principal
from gatehouse.plain_json import from_json
from gatehouse.problems.errors import (
    ApiError,
    BadRequest,
    Conflict,
    Forbidden,
    InsufficientScope,
    InvalidInput,
    NotFound,
    Problem,
    Unauthenticated,
    UnsupportedMediaType,
)
from gatehouse.problems.models import ModelMisconfiguredProblem, ModelTimeout
from gatehouse.runs.events import BEGINNING, Cursor, Record, Usage, parse_cursor
from gatehouse.runs.records import RunRecord
from gatehouse.services import Services, services_of
from gatehouse.web.dependencies import CurrentPrincipal
from gatehouse.web.request_state import admission_of
from gatehouse.wires import sse
from gatehouse.wires.leaving import while_connected
from gatehouse.wires.questions import ChatRequest, start
from gatehouse.wires.run_api.models import ChatResponse, EventSourceParameters, RunState
from gatehouse.wires.viewer_credential import ViewerCredential, while_held

IdempotencyKey = Annotated[
    str | None,
    Header(max_length=200, description="the same key and body from the same caller joins the first run"),
]
LastEventId = Annotated[str | None, Header(description="read on after this event id; -1 is the start")]


class RunFailedBefore(ApiError):
    """The problem that a run ended with, as the response of the request that waited for it."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        wait = problem.get("retry_after")
        headers = {} if wait is None else {"retry-after": str(wait)}
        extra = {name: value for name, value in problem.items() if name not in Problem.model_fields}
        super().__init__(str(problem["detail"]), headers=headers, **extra)
        self.status = problem["status"]  # type: ignore[misc]  # known only here, not by the class
        self.kind = str(problem["type"]).rpartition(":")[2]  # type: ignore[misc]  # as above


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
ANSWERING = {**STARTING, **ModelMisconfiguredProblem.schema(), **ModelTimeout.schema()}


async def json_body(request: Request) -> None:
    """Refuse a body that a foreign page could send without asking first. Raises UnsupportedMediaType."""
    if media_type(request) != "application/json":
        raise UnsupportedMediaType


router = APIRouter(prefix="/api", tags=["runs"], responses=Unauthenticated.schema())


@router.post("/chat", responses=ANSWERING, dependencies=[Depends(json_body)])
async def chat(
    request: Request, principal: CurrentPrincipal, body: ChatRequest, idempotency_key: IdempotencyKey = None
) -> ChatResponse:
    """Answer in one piece."""
    services = services_of(request)
    started = await start(services, principal, body, idempotency_key, admission_of(request))
    return await while_connected(request, answer(services, started.run))


@router.post(
    "/chat/stream",
    response_class=sse.EventStream,
    responses=STARTING,
    dependencies=[Depends(json_body)],
)
async def chat_stream(
    request: Request, principal: CurrentPrincipal, body: ChatRequest, idempotency_key: IdempotencyKey = None
) -> Response:
    """Answer as typed events."""
    services = services_of(request)
    started = await start(services, principal, body, idempotency_key, admission_of(request))
    return view(services, principal, started.run, BEGINNING, sse.typed)


@router.post("/stream", response_class=sse.EventStream, responses=STARTING, dependencies=[Depends(json_body)])
async def plain_stream(
    request: Request, principal: CurrentPrincipal, body: ChatRequest, idempotency_key: IdempotencyKey = None
) -> Response:
    """Answer as plain tokens."""
    services = services_of(request)
    started = await start(services, principal, body, idempotency_key, admission_of(request))
    return view(services, principal, started.run, BEGINNING, sse.plain)


@router.get("/chat/stream", response_class=sse.EventStream, responses={**NOTHING_MORE, **STARTING})
async def chat_event_source(
    request: Request, principal: CurrentPrincipal, parameters: Annotated[EventSourceParameters, Query()]
) -> Response:
    """Answer as typed events, for EventSource. With an idempotency_key its reconnection resumes the run."""
    return await for_event_source(request, principal, parameters, sse.typed)


@router.get("/stream", response_class=sse.EventStream, responses={**NOTHING_MORE, **STARTING})
async def plain_event_source(
    request: Request, principal: CurrentPrincipal, parameters: Annotated[EventSourceParameters, Query()]
) -> Response:
    """Answer as plain tokens, for EventSource. With an idempotency_key its reconnection resumes the run."""
    return await for_event_source(request, principal, parameters, sse.plain)


@router.get("/runs/{run_id}", responses=OF_A_RUN)
async def run_state(request: Request, principal: CurrentPrincipal, run_id: str) -> RunState:
    """How far the run is, and its text so far."""
    return RunState.of(await services_of(request).runs.get(principal, run_id))


@router.get("/runs/{run_id}/stream", response_class=sse.EventStream, responses=JOINING)
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
    return view(services, principal, run, cursor, sse.typed)


@router.post("/runs/{run_id}/cancel", status_code=202, responses=OF_A_RUN)
async def cancel(request: Request, principal: CurrentPrincipal, run_id: str) -> RunState:
    """Stop the run now. What came is kept. A run that has ended stays as it is."""
    runs = services_of(request).runs
    await runs.get(principal, run_id, WRITE_RUNS)
    await runs.cancel(run_id)
    return RunState.of(await runs.get(principal, run_id, WRITE_RUNS))


async def for_event_source(
    request: Request, principal: Principal, parameters: EventSourceParameters, frame: sse.Frame
) -> Response:
    """Start a run for an EventSource, or join the one that it lost."""
    # CORS keeps another site from reading, not from asking. "none" is a person's own address bar
    own = is_own_page(request, services_of(request).settings.page_origins)
    if own is False and request.headers.get("sec-fetch-site") != "none":
        raise Forbidden("Another site may not start a run: GATEHOUSE_ALLOWED_ORIGINS lists those that may.")
    if request.headers.get("sec-fetch-mode") == "navigate":  # a link, of a mail or of a model's answer
        raise Forbidden("An address that is opened starts no run: an EventSource does.")
    # on its own reconnection a browser sends the header, and the address stays as it was
    last_event_id = request.headers.get("last-event-id") or parameters.last_event_id
    if last_event_id and not parameters.idempotency_key:
        return Response(status_code=204)  # answering would run the query a second time
    cursor = parse_cursor(last_event_id)
    services = services_of(request)
    key = parameters.idempotency_key
    started = await start(services, principal, parameters.chat(), key, admission_of(request))
    return view(services, principal, started.run, cursor, frame)


def view(
    services: Services, principal: Principal, run: RunRecord, cursor: Cursor, frame: sse.Frame
) -> Response:
    """Return the run's records after the cursor as events; 204 when there is none and none will come."""
    if run.finished and cursor >= run.last_event:
        return Response(status_code=204)  # tells an EventSource not to reconnect
    if cursor > BEGINNING:
        services.runs.observer.resumed("sse")
    records = services.runs.view(run.id, cursor)
    if (
        principal.credential_key != run.principal.credential_key
    ):  # else the run itself ends with it, and says so
        credential = ViewerCredential(principal, services.authenticator.standing.credential_valid)
        records = while_held(credential, records)
    return sse.event_stream(run.id, records, frame, services.settings.send_timeout)


async def answer(services: Services, run: RunRecord) -> ChatResponse:
    """Return the answer of a run when it has ended. Raises its problem, or Conflict if it was cancelled."""
    last = await records_of_end(services.runs.view(run.id))
    if "error" in last:
        raise RunFailedBefore(from_json(last["error"].data)["problem"])
    if "complete" not in last:
        raise Conflict("The run was stopped before it was complete.", run_id=run.id)
    complete = from_json(last["complete"].data)
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


async def records_of_end(records: AsyncIterator[list[Record]]) -> dict[str, Record]:
    """Return the last record of each type, when the run has ended."""
    last: dict[str, Record] = {}
    async for ready in records:
        last.update((record.type, record) for record in ready)
    return last
