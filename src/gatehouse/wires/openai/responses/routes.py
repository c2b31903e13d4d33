"""OpenAI's Responses over runs: https://platform.openai.com/docs/api-reference/responses."""

import asyncio
from contextlib import suppress
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from gatehouse.identity.principal import READ_RUNS, WRITE_RUNS, WRITE_THREADS, Principal
from gatehouse.plain_json import json_bytes
from gatehouse.problems.errors import (
    BadRequest,
    Conflict,
    InsufficientScope,
    NotFound,
    Unauthenticated,
    UnsupportedMediaType,
)
from gatehouse.runs.conversation.places import state_key
from gatehouse.runs.events import Record
from gatehouse.runs.records import RunRecord
from gatehouse.services import Services, services_of
from gatehouse.threads.of_runs import forget
from gatehouse.web.dependencies import CurrentPrincipal, json_body
from gatehouse.web.request_state import admission_of
from gatehouse.wires import sse
from gatehouse.wires.answers import RunFailedBefore
from gatehouse.wires.leaving import while_connected
from gatehouse.wires.openai.asking import THREAD_HEADER, IdempotencyKey, ThreadName
from gatehouse.wires.openai.models import model_named
from gatehouse.wires.openai.responses.asking import NO_SUCH_RESPONSE, input_items, question_of
from gatehouse.wires.openai.responses.deciding import decided, is_decision, of_part, parts_in
from gatehouse.wires.openai.responses.input import items_of
from gatehouse.wires.openai.responses.projection import ResponseEvents
from gatehouse.wires.openai.responses.request import ResponseRequest, refuse_unsupported
from gatehouse.wires.openai.responses.resource import ASKED, named_by
from gatehouse.wires.questions import Key, begin, refuse_without_a_model

STOP_SECONDS = 2  # in which a run that was stopped has usually ended

OF_ONE = {**NotFound.schema(), **InsufficientScope.schema()}
SENT: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}, "application/json": {}}}
}
ANSWERING = {
    **SENT,
    **OF_ONE,
    **BadRequest.schema(),
    **Conflict.schema(),
    **UnsupportedMediaType.schema(),
}


class Deleted(BaseModel):
    id: str
    object: Literal["response"] = "response"
    deleted: Literal[True] = True


class InputItems(BaseModel):
    """What was asked, in the order in which it was."""

    object: Literal["list"] = "list"
    data: list[dict[str, Any]]
    first_id: str | None
    last_id: str | None
    has_more: Literal[False] = False


router = APIRouter(prefix="/v1/responses", tags=["OpenAI"], responses=Unauthenticated.schema())


@router.post("", responses=ANSWERING, dependencies=[Depends(json_body)])
async def create_response(
    request: Request,
    principal: CurrentPrincipal,
    body: ResponseRequest,
    idempotency_key: IdempotencyKey = None,
    x_thread_id: ThreadName = None,
) -> Response:
    """Answer in one piece, as events, or in the background.

    What is stored is a thread of the server's: it goes on after a previous response, also after one that is
    not the last, or in a conversation that is named.
    """
    services = services_of(request)
    entry = model_named(services, principal, body.model)
    refuse_unsupported(body, entry)
    if is_decision(items_of(body.input)):
        return await gone_on(request, services, principal, body)
    if idempotency_key is None:
        refuse_without_a_model(services, entry.path)
    question = await question_of(services, principal, entry, body, x_thread_id)
    asked = {"response": body.model_dump(), "thread": question.named_thread}
    key = Key(idempotency_key, asked) if idempotency_key else None
    run = (await begin(services, principal, question, key, admission_of(request))).run
    about = {"x-run-id": run.id, **({THREAD_HEADER: run.thread_id} if run.thread_id else {})}
    return await answered(request, services, principal, ResponseEvents(run), body, about)


@router.get("/{response_id}", responses={**SENT, **OF_ONE, **BadRequest.schema()})
async def get_response(
    request: Request,
    principal: CurrentPrincipal,
    response_id: str,
    stream: bool = False,
    starting_after: Annotated[
        int | None, Query(ge=-1, le=2**53, description="of a stream: the number of the last event seen")
    ] = None,
) -> Response:
    """A stored response as it is now, or its events from the first one or after one, on any replica."""
    services = services_of(request)
    run, part = await stored(services, principal, response_id, READ_RUNS)
    if not stream:
        return told(await so_far(services, ResponseEvents(run, part)), {})
    if starting_after is not None:
        services.runs.observer.resumed("openai")
    after = -1 if starting_after is None else starting_after
    return streamed(services, principal, ResponseEvents(run, part, after), {})


@router.post("/{response_id}/cancel", responses=ANSWERING)
async def cancel_response(request: Request, principal: CurrentPrincipal, response_id: str) -> Response:
    """Stop a response now. What came is kept; one that has ended stays as it is."""
    services = services_of(request)
    run, part = await stored(services, principal, response_id, WRITE_RUNS)
    await services.runs.cancel(run.id)
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_SECONDS):
            await until_ended(services, principal, ResponseEvents(run, part))
    return told(await so_far(services, ResponseEvents(run, part)), {})


@router.delete("/{response_id}", responses={**OF_ONE, **Conflict.schema()})
async def delete_response(request: Request, principal: CurrentPrincipal, response_id: str) -> Deleted:
    """Erase a response and what was said for it. One that another goes on from is kept: that first."""
    services = services_of(request)
    run, _ = await stored(services, principal, response_id, WRITE_RUNS)
    if not principal.may(WRITE_THREADS):
        raise InsufficientScope(WRITE_THREADS)
    thread_id = str(run.thread_id)
    with suppress(NotFound):  # the thread was deleted before
        await forget(services.engine, principal, thread_id, run.id)
    state = state_key(principal.tenant_id, principal.user_id, thread_id, run.id)
    await services.runs.erase([run.id], principal.tenant_id, [state])
    return Deleted(id=response_id)


@router.get("/{response_id}/input_items", responses=OF_ONE)
async def list_input_items(request: Request, principal: CurrentPrincipal, response_id: str) -> InputItems:
    """What was asked."""
    run, _ = await stored(services_of(request), principal, response_id, READ_RUNS)
    items = input_items(run.id, run.client[ASKED]["input"])
    return InputItems(data=items, first_id=items[0]["id"], last_id=items[-1]["id"])


async def gone_on(
    request: Request, services: Services, principal: Principal, body: ResponseRequest
) -> Response:
    """Decide on what the previous response waits for, and answer with what its run does then."""
    run, _ = await stored(services, principal, body.previous_response_id or "", WRITE_RUNS)
    part = await decided(services, principal, run, items_of(body.input))
    about = {"x-run-id": run.id, THREAD_HEADER: str(run.thread_id)}
    return await answered(request, services, principal, ResponseEvents(run, part), body, about)


async def answered(
    request: Request,
    services: Services,
    principal: Principal,
    events: ResponseEvents,
    body: ResponseRequest,
    about: dict[str, str],
) -> Response:
    """Answer with a response that has begun, as the request wants it."""
    if body.stream:
        return streamed(services, principal, events, about)
    if body.background:
        return told(events, about)
    await while_connected(request, until_ended(services, principal, events))
    if events.problem is not None:
        raise RunFailedBefore(events.problem)
    return told(events, about)


async def stored(
    services: Services, principal: Principal, response_id: str, scope: str
) -> tuple[RunRecord, int]:
    """Return the run of a stored response of the caller's, and which part of it that is.

    Raises NotFound, InsufficientScope.
    """
    run_id, part = named_by(response_id)
    try:
        run = await services.runs.get(principal, run_id, scope)
    except NotFound:
        raise NotFound(NO_SUCH_RESPONSE, param="response_id") from None
    gone_on_so_often = parts_in(await services.runs.so_far(run_id)) if part else 0
    if run.thread_id is None or ASKED not in run.client or part > gone_on_so_often:
        raise NotFound(NO_SUCH_RESPONSE, param="response_id")
    return run, part


def streamed(
    services: Services, principal: Principal, events: ResponseEvents, about: dict[str, str]
) -> Response:
    """Return the events of a response."""
    run = events.run
    records = of_part(services, principal, run, events)
    return sse.event_stream(run.id, records, events, services.settings.send_timeout, headers=about)


def told(events: ResponseEvents, about: dict[str, str]) -> Response:
    return Response(json_bytes(events.response()), 200, about, "application/json")


async def until_ended(services: Services, principal: Principal, events: ResponseEvents) -> None:
    """Project the records of a response up to its end."""
    async for records in of_part(services, principal, events.run, events):
        fold(events, records)


async def so_far(services: Services, events: ResponseEvents) -> ResponseEvents:
    """Return the response as it is now."""
    fold(events, await services.runs.so_far(events.run.id))
    return events


def fold(events: ResponseEvents, records: list[Record]) -> None:
    for record in records:
        for _ in events.events(record):
            pass
