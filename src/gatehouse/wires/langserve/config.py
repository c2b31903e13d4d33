"""Identity into `configurable`: the `per_req_config_modifier` of every LangServe route."""

import math
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from fastapi import Request
from langchain_core.utils.uuid import uuid7

from gatehouse.identity.principal import Principal
from gatehouse.limits.admission import Admission
from gatehouse.problems.errors import BadRequest
from gatehouse.runs.sources.tap import Tap
from gatehouse.services import Services, services_of
from gatehouse.web.dependencies import principal_of
from gatehouse.web.request_state import admission_of
from gatehouse.wires.questions import refuse_without_a_model

CALL = "__call"  # a key that starts with __ is never copied into traces


@dataclass(slots=True)
class Call:
    """What a served runnable needs to know of the request that started it.

    `grace` is how many seconds the run goes on after its client has left. The runnable leaves the `tap` of
    its run here.
    """

    services: Services
    principal: Principal
    thread_id: str | None
    grace: float
    admission: Admission
    tap: Tap | None = None


@dataclass(slots=True)
class Posted:
    """What the route and the config modifier tell each other of one request.

    `thread_ids` are those of the inputs whose config was not made yet. `at_once` is how many runs of a batch
    go on at a time. `call` and `run_id` are those of the last input.
    """

    thread_ids: list[str | None]
    at_once: int | None
    reserved: bool = False
    run_id: UUID | None = None
    call: Call | None = None


def posted_of(request: Request) -> Posted:
    """Return what the route has put aside of a request's body."""
    return cast("Posted", request.state.posted)


async def rebuild_config(_client_config: dict[str, Any], request: Request) -> dict[str, Any]:
    """Return the whole run config for one invocation, made from the principal.

    LangServe calls this once for every item of a batch, in order. Of what the client configured only the
    `thread_id` counts, which the route has put aside, and only if the thread is the caller's: in LangServe,
    a client's own keys would end up beside ours.
    Raises NotFound for another's thread, BadRequest for a bad x-disconnect-grace, LimitReached,
    ModelUnavailable.
    """
    services = services_of(request)
    principal, admission = principal_of(request), admission_of(request)
    posted = posted_of(request)
    runs = len(posted.thread_ids)
    thread_id = posted.thread_ids.pop(0)
    if thread_id is not None:
        await services.threads.get(principal, thread_id)
    posted.run_id = uuid7()
    grace = grace_of(request, services.settings.disconnect_grace_max)
    # before LangServe begins a response, whose status could not be 429 any more
    refuse_without_a_model(services, request.url.path.rpartition("/")[0])
    if not posted.reserved:
        posted.reserved = True
        await admission.reserve(runs, posted.at_once)
    posted.call = Call(services, principal, thread_id, grace, admission)
    configurable = {**principal.configurable(), "thread_id": thread_id, CALL: posted.call}
    return {"run_id": posted.run_id, "configurable": configurable}


def grace_of(request: Request, most: float) -> float:
    """Return the seconds that `x-disconnect-grace` asks for, at most `most`; 0, as LangServe, without it."""
    text = request.headers.get("x-disconnect-grace", "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0):
        raise BadRequest("x-disconnect-grace is a number of seconds.")
    return min(seconds, most)
