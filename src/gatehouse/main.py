"""The application, as a table of contents."""

from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from gatehouse.lifespan import lifespan_for
from gatehouse.registry.checked import Registry, refuse_taken
from gatehouse.registry.loading import RegistrySource, load_registry
from gatehouse.settings import Settings
from gatehouse.telemetry.telemetry import Telemetry
from gatehouse.web import docs, health, home, home_client, public, runnables
from gatehouse.web.auth import credentials as credential_routes
from gatehouse.web.auth import keys as key_routes
from gatehouse.web.auth import oidc as oidc_routes
from gatehouse.web.auth import signin
from gatehouse.web.error_handlers import add_error_handlers
from gatehouse.web.error_shapes import SENTENCE
from gatehouse.web.middleware.authenticate import Authenticate
from gatehouse.web.middleware.body_limit import BodyLimit
from gatehouse.web.middleware.held_bytes import BoundHeldBytes
from gatehouse.web.middleware.limit import Limit
from gatehouse.web.middleware.offered import HideWhatIsNotOffered
from gatehouse.web.middleware.request_context import RequestContext
from gatehouse.web.middleware.security_headers import SecurityHeaders
from gatehouse.web.middleware.short_routes import ShortRoutes
from gatehouse.web.paths import Operation
from gatehouse.web.request_telemetry import RequestTelemetry
from gatehouse.web.resources import approvals, attachments, audit, feedback, threads, usage, users
from gatehouse.wires.langserve.config_in_path import TakeConfigOutOfPath
from gatehouse.wires.langserve.feedback import add_feedback_routes
from gatehouse.wires.langserve.paths import paths_of
from gatehouse.wires.langserve.routes import add_langserve_routes, short_routes
from gatehouse.wires.mcp import metadata as mcp_metadata
from gatehouse.wires.mcp import paths as mcp_paths
from gatehouse.wires.mcp import routes as mcp
from gatehouse.wires.mcp.metadata import CHALLENGED
from gatehouse.wires.openai import models as openai_models
from gatehouse.wires.openai import paths as openai_paths
from gatehouse.wires.openai.chat import routes as openai_chat
from gatehouse.wires.openai.errors import OPENAI_ERROR
from gatehouse.wires.openai.responses import routes as openai_responses
from gatehouse.wires.run_api import forks
from gatehouse.wires.run_api import paths as api_paths
from gatehouse.wires.run_api import routes as api
from gatehouse.wires.run_api.short import SHORT_WAYS
from gatehouse.wires.vercel import paths as vercel_paths
from gatehouse.wires.vercel import routes as vercel
from gatehouse.wires.websocket import paths as websocket_paths
from gatehouse.wires.websocket import routes as websocket

# Our own, whatever is served. Routes are tried in this order, LangServe's after the first
ROUTERS = (
    api.router,
    health.router,
    signin.router,
    oidc_routes.router,
    home.router,
    home_client.router,
    runnables.router,
    threads.router,
    forks.router,
    approvals.router,
    attachments.router,
    feedback.router,
    usage.router,
    audit.router,
    users.router,
    key_routes.router,
    credential_routes.router,
    vercel.router,
    mcp.router,
    mcp_metadata.router,
    websocket.router,
    openai_models.router,
    openai_chat.router,
    openai_responses.router,
    docs.router,
)
PATHS = (
    public.PATHS | api_paths.PATHS | openai_paths.PATHS | vercel_paths.PATHS | mcp_paths.PATHS
    | websocket_paths.PATHS
)  # fmt: skip
# of errors, by what the paths of a wire begin with
SHAPES = {
    vercel_paths.PREFIX: SENTENCE,
    openai_paths.PREFIX.rstrip("/"): OPENAI_ERROR,
    mcp_paths.PATH: CHALLENGED,
}


def create_app(settings: Settings | None = None, registry: RegistrySource | None = None) -> FastAPI:
    """Return the server. The environment sets what the arguments leave out.

    Raises BadRegistry.
    """
    settings = settings or Settings()
    served = load_registry(settings.registry if registry is None else registry)
    refuse_taken(served, own_segments())
    telemetry = Telemetry.of(settings)
    app = FastAPI(
        title="Gatehouse",
        summary="LangChain runnables, served to the authenticated user",
        version=version("gatehouse-server"),
        lifespan=lifespan_for(settings, served, telemetry),
        openapi_url=None,  # gatehouse.web.docs: what a caller's tenant is not offered is not in it
        docs_url=None,  # gatehouse.web.docs: FastAPI's own page loads its assets from a CDN
        redoc_url=None,
        redirect_slashes=False,  # Starlette's redirects name whatever host the request named
    )
    add_error_handlers(app, PATHS.public, SHAPES)
    first, *others = ROUTERS  # what is asked most is tried first
    app.include_router(first)
    add_langserve_routes(app, served.entries)
    for router in others:
        app.include_router(router)
    add_feedback_routes(app, settings, served.entries)
    surround(app, settings, served, telemetry)
    return app


def own_segments() -> frozenset[str]:
    """Return what the paths of our own routes begin with: no entry can be served there."""
    return frozenset(str(route.path).split("/")[1] for router in ROUTERS for route in router.routes)  # type: ignore[attr-defined]  # every route of ours has one


def larger_bodies(settings: Settings, registry: Registry) -> dict[Operation, int]:
    """Return the operations that take more than every other, for entries that do: by method and path."""
    entries = [entry for entry in registry.entries if entry.max_bytes > settings.max_body_bytes]
    own = {operation: entry.max_bytes for entry in entries for operation in paths_of([entry]).starts}
    own |= {("POST", f"{vercel_paths.PREFIX}{entry.path}/chat"): entry.max_bytes for entry in entries}
    largest = max((entry.max_bytes for entry in entries), default=0)
    of_any = api_paths.PATHS.starts | openai_paths.PATHS.starts
    return {**own, **dict.fromkeys(of_any if entries else (), largest)}


def surround(app: FastAPI, settings: Settings, registry: Registry, telemetry: Telemetry) -> None:
    """Put the middleware around the routes. The last one added is the first to see a request."""
    app.add_middleware(
        ShortRoutes, answers={**short_routes(registry.entries), **SHORT_WAYS}, handlers=app.exception_handlers
    )
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.max_body_bytes,
        timeout=settings.body_timeout,
        larger={
            ("POST", "/api/attachments"): settings.attachment_bytes + attachments.FORM_BYTES,
            **larger_bodies(settings, registry),
        },
    )
    app.add_middleware(HideWhatIsNotOffered, settings=settings, names=frozenset(registry.by_name))
    app.add_middleware(BoundHeldBytes)
    app.add_middleware(Limit, paths=PATHS | paths_of(registry.entries))
    app.add_middleware(Authenticate, public=PATHS.public)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.page_origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "authorization",
            "content-type",
            "idempotency-key",
            "last-event-id",
            "x-api-key",
            "x-disconnect-grace",
        ],
        expose_headers=["x-request-id", "x-run-id", "retry-after", "ratelimit", "ratelimit-policy"],
        allow_credentials=True,
        max_age=600,
    )
    playgrounds = tuple(
        f"{entry.path}/playground/" for entry in registry.entries if "playground" in entry.endpoints
    )
    app.add_middleware(SecurityHeaders, playgrounds=playgrounds, https=not settings.development)
    app.add_middleware(RequestContext, watch=RequestTelemetry(telemetry.metrics, telemetry.tracing))
    app.add_middleware(TakeConfigOutOfPath, entries=registry.entries)
