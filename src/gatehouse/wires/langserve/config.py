"""Identity into `configurable`: the `per_req_config_modifier` of every LangServe route."""

import math
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from langchain_core.utils.uuid import uuid7

from gatehouse.identity.principal import Principal
from gatehouse.limits.admission import Admission
from gatehouse.problems.errors import BadRequest
from gatehouse.runs.sources.tap import Tap
from gatehouse.services import Services, services_of
from gatehouse.wires.door import refuse_without_a_model

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


async def rebuild_config(_client_config: dict[str, Any], request: Request) -> dict[str, Any]:
    """Return the whole run config for one invocation, made from the principal.

    LangServe calls this once for every item of a batch, in order. Of what the client configured only the
    `thread_id` counts, which the route has put aside, and only if the thread is the caller's: in LangServe,
    a client's own keys would end up beside ours.
    Raises NotFound for another's thread, BadRequest for a bad x-disconnect-grace, LimitReached,
    ModelUnavailable.
    """
    services = services_of(request)
    principal: Principal = request.state.principal
    thread_id = request.state.thread_ids.pop(0)
    if thread_id is not None:
        await services.threads.get(principal, thread_id)
    run_id = request.state.run_id = uuid7()
    grace = grace_of(request, services.settings.disconnect_grace_max)
    # before LangServe begins a response, whose status could not be 429 any more
    refuse_without_a_model(services)
    runs, request.state.runs_to_reserve = request.state.runs_to_reserve, 0
    if runs:
        await request.state.admission.reserve(runs, request.state.at_once)
    call = request.state.call = Call(services, principal, thread_id, grace, request.state.admission)
    configurable = {**principal.configurable(), "thread_id": thread_id, CALL: call}
    return {"run_id": run_id, "configurable": configurable}


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
