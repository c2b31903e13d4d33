"""LangServe's routes for every registry entry."""

import warnings
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from typing import Any, cast

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from fastapi.routing import APIRoute
from langchain_core._api import LangChainBetaWarning
from langserve import add_routes, api_handler
from sse_starlette import EventSourceResponse
from starlette.routing import Match
from starlette.types import Message, Scope

from gatehouse.problems.errors import (
    BadRequest,
    Conflict,
    DeadlineExceeded,
    InsufficientScope,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    RunFailed,
    Unauthenticated,
    UnsupportedMediaType,
)
from gatehouse.problems.models import ModelMisconfiguredProblem
from gatehouse.registry.entry import ServedEntry
from gatehouse.services import services_of
from gatehouse.settings import Settings
from gatehouse.web.dependencies import requires
from gatehouse.web.paths import Operation
from gatehouse.wires.event_stream import EventStream
from gatehouse.wires.langserve.bodies import normalised, shared_config
from gatehouse.wires.langserve.config import Posted, posted_of, rebuild_config
from gatehouse.wires.langserve.feedback_tokens import answer_with_tokens, tokens_of
from gatehouse.wires.langserve.invoking import Handler, short_ways
from gatehouse.wires.langserve.paths import STREAMS
from gatehouse.wires.langserve.serializing import SERIALIZER
from gatehouse.wires.langserve.served import ServedRunnable
from gatehouse.wires.langserve.streaming import encoded
from gatehouse.wires.leaving import while_connected

# taken out of the path before it is routed, and gatehouse.wires.langserve.feedback
OURS = frozenset(("config_hashes", "token_feedback"))
PROBLEMS = {
    **BadRequest.schema(),
    **Unauthenticated.schema(),
    **InsufficientScope.schema(),
    **NotFound.schema(),
    **Conflict.schema(),
    **PayloadTooLarge.schema(),
    **UnsupportedMediaType.schema(),
    **InvalidInput.schema(),
    **RunFailed.schema(),
    **DeadlineExceeded.schema(),
    **ModelMisconfiguredProblem.schema(),
}


def add_langserve_routes(app: FastAPI, entries: Sequence[ServedEntry]) -> None:
    """Serve every entry under its path, with identity injected and LangServe's traps closed."""
    forget_models()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LangChainBetaWarning)  # of callback events, at each start
        for entry in entries:
            app.include_router(router_of(entry), responses=PROBLEMS)


def router_of(entry: ServedEntry) -> APIRouter:
    """Return LangServe's routes of an entry."""
    router = EntryRouter(entry)
    needed = [Depends(requires(entry.required_scope))]
    add_routes(
        router,
        ServedRunnable(entry),
        path=entry.path,
        # for the schema: what a client sends of them the route has put aside. LangServe drops ours from a
        # batch if there is no configurable
        config_keys=("configurable", *sorted(entry.client_traces)),
        per_req_config_modifier=rebuild_config,
        dependencies=needed,
        playground_type=entry.playground,
        serializer=SERIALIZER,
        include_callback_events=entry.include_callback_events,
        enabled_endpoints=cast("Any", sorted(entry.endpoints - OURS)),
    )
    if "playground" in entry.endpoints:
        add_playground_without_slash(router, entry, needed)
    return router


def add_playground_without_slash(router: APIRouter, entry: ServedEntry, needed: Sequence[Any]) -> None:
    """Add what leads on from the playground's address as people type it.

    It names no host: a client could choose which.
    """

    async def playground() -> Response:
        return RedirectResponse("playground/")

    path = f"{entry.path}/playground"
    router.add_api_route(path, playground, dependencies=needed, include_in_schema=False)


def forget_models() -> None:
    """Have LangServe forget the models of other applications of this process.

    It keeps them by their names for all, and of a second one with a name it makes a model of another kind.
    """
    for known in (api_handler._MODEL_REGISTRY, api_handler._SEEN_NAMES):  # noqa: SLF001  # there is no other way
        known.clear()


class EntryRouter(APIRouter):
    """The routes of one entry. None of them is tried for another's path, which would cost a millisecond."""

    def __init__(self, entry: ServedEntry) -> None:
        super().__init__(route_class=route_class_for(entry))
        self.beginning = f"{entry.path}/"

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        return super().matches(scope) if scope["path"].startswith(self.beginning) else (Match.NONE, {})


def route_class_for(entry: ServedEntry) -> type[APIRoute]:
    """Return a route class that hands LangServe normalised bodies of `entry` and tends its streams."""

    short = short_ways(entry)

    class LangServeRoute(APIRoute):
        def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
            if path.rsplit("/", 1)[-1] in STREAMS:  # for the documentation: LangServe makes its own response
                options["response_class"] = EventStream
            super().__init__(path, endpoint, **options)

        def get_route_handler(self) -> Handler:
            endpoint = self.path.rsplit("/", 1)[-1]
            handle = short.get(endpoint) or super().get_route_handler()

            async def tended(request: Request) -> Response:
                return await answered(request, handle, entry, endpoint)

            return tended

    return LangServeRoute


def short_routes(entries: Sequence[ServedEntry]) -> dict[Operation, Handler]:
    """Return what answers those routes of entries that need nothing of LangServe's handlers."""
    return {
        ("POST", f"{entry.path}/{endpoint}"): partial(answered, handle=handle, entry=entry, endpoint=endpoint)
        for entry in entries
        for endpoint, handle in short_ways(entry).items()
        if endpoint in entry.endpoints
    }


async def answered(request: Request, handle: Handler, entry: ServedEntry, endpoint: str) -> Response:
    """Return LangServe's response. Raises ApiError."""
    services = services_of(request)
    settings = services.settings
    if request.method != "POST":
        return await page(request, handle, entry, settings)
    work = handle(await checked(request, entry, endpoint, settings))
    response = await (while_connected(request, work) if endpoint in ("invoke", "batch") else work)
    posted = posted_of(request)
    if isinstance(response, EventSourceResponse):
        frames = cast("AsyncGenerator[dict[str, str], None]", response.body_iterator)
        response = EventStream(encoded(frames, posted, tokens_of(services, entry)), settings.send_timeout)
    elif isinstance(response, JSONResponse) and (tokens := tokens_of(services, entry)):
        response = await answer_with_tokens(response, tokens)
    if posted.run_id and endpoint != "batch":  # a batch has a run for each item
        response.headers["x-run-id"] = str(posted.run_id)
    return response


async def page(request: Request, handle: Handler, entry: ServedEntry, settings: Settings) -> Response:
    """Return a schema, or a file of the playground, which a config in its path says nothing to.

    Raises NotFound for what is no file, BadRequest or InvalidInput for a config that is not taken.
    """
    if shared := shared_config(request):
        shared.asked(entry, settings.unknown_configurable == "ignore")
    # after routing, which would take the root path off a path that begins with it
    rooted = Request({**request.scope, "root_path": settings.root_path}, request.receive)
    try:
        found = await handle(rooted)
    except (OSError, ValueError):  # a folder, or a name that no file can have
        raise NotFound from None
    if found.status_code == NotFound.status:
        raise NotFound
    return found


async def checked(request: Request, entry: ServedEntry, endpoint: str, settings: Settings) -> Request:
    """Return the request as LangServe is to see it. Raises Restarting, and what `normalised` raises."""
    services_of(request).runs.drain.check()  # later, a stream would have begun with a 200
    parsed = await normalised(request, entry, endpoint, settings)
    inputs = list(zip(parsed.inputs, parsed.asked, strict=True))
    at_once = settings.batch_concurrency if endpoint == "batch" else None
    request.scope["state"]["posted"] = Posted(inputs, at_once, reserved=endpoint == "invoke")
    return with_body(request, parsed.body)


def with_body(request: Request, body: Callable[[], bytes]) -> Request:
    """Return the request with another body."""

    pending = [body]

    async def receive() -> Message:
        if not pending:
            return await request.receive()
        return {"type": "http.request", "body": pending.pop()(), "more_body": False}

    return Request(request.scope, receive)
