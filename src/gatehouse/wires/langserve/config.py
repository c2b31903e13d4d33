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
from gatehouse.wires.langserve.bodies import Asked
from gatehouse.wires.questions import refuse_without_a_model

CALL = "__call"  # a key that starts with __ is never copied into traces


@dataclass(slots=True)
class Call:
    """What a served runnable needs to know of the request that started it.

    `grace` is how many seconds the run goes on after its client has left. The runnable leaves the `tap` of
    its run here. `value` is the input's JSON, and `asked` what came with it.
    """

    services: Services
    principal: Principal
    value: Any
    asked: Asked
    grace: float
    admission: Admission
    tap: Tap | None = None


@dataclass(slots=True)
class Posted:
    """What the route and the config modifier tell each other of one request.

    `inputs` are those whose config was not made yet, with what was asked with each. `at_once` is how many
    runs of a batch go on at a time; `reserved` says that what the runs need is taken; or, of an
    `/invoke`, whose response begins when its run has ended, that it is taken with the run. `call` and
    `run_id` are those of the last input.
    """

    inputs: list[tuple[Any, Asked]]
    at_once: int | None
    reserved: bool = False
    run_id: UUID | None = None
    call: Call | None = None


def posted_of(request: Request) -> Posted:
    """Return what the route has put aside of a request's body."""
    return cast("Posted", request.scope["state"]["posted"])


async def rebuild_config(_client_config: dict[str, Any], request: Request) -> dict[str, Any]:
    """Return the whole run config for one invocation, made from the principal.

    LangServe calls this once for every item of a batch, in order. What counts of the client's config the
    route has put aside, and its `thread_id` only if the thread is the caller's: in LangServe, a client's own
    keys would end up beside ours.
    Raises NotFound for another's thread, BadRequest for a bad x-disconnect-grace, LimitReached,
    ModelUnavailable.
    """
    services = services_of(request)
    principal, admission = principal_of(request), admission_of(request)
    posted = posted_of(request)
    runs = len(posted.inputs)
    value, asked = posted.inputs.pop(0)
    if asked.thread_id is not None:
        await services.threads.get(principal, asked.thread_id)
    posted.run_id = uuid7()
    grace = grace_of(request, services.settings.disconnect_grace_max)
    # before LangServe begins a response, whose status could not be 429 any more
    refuse_without_a_model(services, request.scope["path"].rpartition("/")[0])
    if not posted.reserved:
        posted.reserved = True
        await admission.reserve(runs, posted.at_once)
    posted.call = Call(services, principal, value, asked, grace, admission)
    configurable = {**principal.configurable(), "thread_id": asked.thread_id, CALL: posted.call}
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
