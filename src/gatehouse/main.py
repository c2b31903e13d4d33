"""The application, as a table of contents."""

from collections.abc import Sequence
from importlib.metadata import version

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from app.auth import credential_routes, key_routes, oidc_routes, signin
from app.auth.authenticate import Authenticate
from app.auth.offered import HideWhatIsNotOffered
from app.lifespan import lifespan_for
from app.limits.layer import Limit
from app.middleware.body_limit import BodyLimit
from app.middleware.context import RequestContext
from app.middleware.security_headers import SecurityHeaders
from app.problems import add_error_handlers
from app.serving import api, docs, health, home, home_client, runnables, websocket
from app.serving.langserve import add_langserve_routes
from app.serving.langsmith_feedback import add_feedback_routes
from app.settings import Settings
from app.telemetry.telemetry import Telemetry
from app.threads import routes as threads
from app.usage import audit_routes
from app.usage import feedback_routes as feedback
from app.usage import routes as usage
from chains.registry import REGISTRY, Entry, check


def create_app(settings: Settings | None = None, registry: Sequence[Entry] | None = None) -> FastAPI:
    """Return the server. Without arguments it is set by the environment and serves `chains.registry`."""
    settings = settings or Settings()
    entries = check(REGISTRY if registry is None else registry)
    telemetry = Telemetry.of(settings)
    app = FastAPI(
        title="Gatehouse",
        summary="LangChain runnables, served to the authenticated user",
        version=version("gatehouse"),
        lifespan=lifespan_for(settings, entries, telemetry),
        openapi_url=None,  # app.serving.docs: what a caller's tenant is not offered is not in it
        docs_url=None,  # app.serving.docs: FastAPI's own page loads its assets from a CDN
        redoc_url=None,
    )
    add_error_handlers(app)
    # routes are tried in this order: what is asked most comes first
    app.include_router(api.router)
    add_langserve_routes(app, entries)
    app.include_router(health.router)
    app.include_router(signin.router)
    app.include_router(oidc_routes.router)
    app.include_router(home.router)
    app.include_router(home_client.router)
    app.include_router(runnables.router)
    app.include_router(threads.router)
    app.include_router(feedback.router)
    app.include_router(usage.router)
    app.include_router(audit_routes.router)
    app.include_router(key_routes.router)
    app.include_router(credential_routes.router)
    app.include_router(websocket.router)
    docs.add_docs(app)
    add_feedback_routes(app, settings, entries)
    surround(app, settings, entries, telemetry)
    return app


def surround(app: FastAPI, settings: Settings, entries: Sequence[Entry], telemetry: Telemetry) -> None:
    """Put the middleware around the routes. The last one added is the first to see a request."""
    names = frozenset(entry.name for entry in entries)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes, timeout=settings.body_timeout)
    app.add_middleware(HideWhatIsNotOffered, settings=settings, names=names)
    app.add_middleware(Limit, paths=[entry.path for entry in entries])
    app.add_middleware(Authenticate)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.allowed_origins,
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
    playgrounds = tuple(f"{entry.path}/playground/" for entry in entries)
    app.add_middleware(SecurityHeaders, playgrounds=playgrounds, https=not settings.development)
    app.add_middleware(RequestContext, watch=telemetry.requests)
