"""A small application behind the real middleware, and its sign-in routes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import Depends, FastAPI, WebSocket
from redis.asyncio import Redis
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from gatehouse.audit.trail import AuditTrail
from gatehouse.auth.authenticator import Authenticator
from gatehouse.limits.limits import Limits, limits_of
from gatehouse.limits.reservations import Reservations
from gatehouse.main import PATHS
from gatehouse.problems.draining import Drain
from gatehouse.registry.entry import ServedEntry
from gatehouse.settings import Settings
from gatehouse.telemetry.pseudonyms import Pseudonyms
from gatehouse.web.auth import credentials as credential_routes
from gatehouse.web.auth import keys as key_routes
from gatehouse.web.auth import oidc as oidc_routes
from gatehouse.web.auth import signin
from gatehouse.web.dependencies import CurrentPrincipal, requires
from gatehouse.web.error_handlers import add_error_handlers
from gatehouse.web.middleware.authenticate import Authenticate
from gatehouse.web.middleware.body_limit import BodyLimit
from gatehouse.web.middleware.request_context import RequestContext
from gatehouse.web.middleware.security_headers import SecurityHeaders
from gatehouse.wires.mcp import metadata as mcp_metadata

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def ample_limits(redis: Redis, failures: int) -> Limits:
    """Return limits that no test here reaches but that of failed sign-ins."""
    return limits_of(redis, Reservations(redis, 30), {}, "refuse", failures)


@dataclass(frozen=True)
class Runs:
    """An engine that goes on."""

    drain: Drain = field(default_factory=Drain)


@dataclass(frozen=True)
class Services:
    """What the routes under test use of the server's services."""

    settings: Settings
    authenticator: Authenticator
    audit: AuditTrail
    limits: Limits
    pseudonyms: Pseudonyms = field(default_factory=lambda: Pseudonyms(b"p" * 32))
    runs: Runs = field(default_factory=Runs)
    entries: Mapping[str, ServedEntry] = field(default_factory=dict)


@dataclass(frozen=True)
class Served:
    """An application, and the users that reached one of its protected endpoints."""

    app: ASGIApp
    reached: list[str]


def serve(settings: Settings, authenticator: Authenticator, redis: Redis) -> Served:
    app = FastAPI()
    reached: list[str] = []
    add_error_handlers(app, PATHS.public)
    app.include_router(signin.router)
    app.include_router(oidc_routes.router)
    app.include_router(key_routes.router)
    app.include_router(credential_routes.router)
    app.include_router(mcp_metadata.router)
    add_endpoints(app, reached)
    app.add_middleware(BodyLimit, max_bytes=100_000, timeout=5)
    app.add_middleware(Authenticate, public=PATHS.public)
    app.add_middleware(
        CORSMiddleware, allow_origins=settings.allowed_origins, allow_methods=["GET"], allow_credentials=True
    )
    app.add_middleware(SecurityHeaders, playgrounds=(), https=False)
    app.add_middleware(RequestContext)
    audit = AuditTrail(authenticator.api_keys._engine, lambda _count: None)
    services = Services(settings, authenticator, audit, ample_limits(redis, settings.signin_failures))
    return Served(WithServices(app, services), reached)


class WithServices:
    """Stands in for the server's lifespan, which opens far more than authentication."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"services": self.services}
        await self.app(scope, receive, send)


def add_endpoints(app: FastAPI, reached: list[str]) -> None:
    @app.get("/livez")
    @app.get("/readyz")
    async def probe() -> str:
        return "ok"

    @app.get("/scoped", dependencies=[Depends(requires("runnable:agent"))])
    async def scoped() -> str:
        return "ok"

    @app.websocket("/ws")
    async def socket(websocket: WebSocket, principal: CurrentPrincipal) -> None:
        reached.append(principal.user_id)
        await websocket.accept("run" if "run" in websocket.scope["subprotocols"] else None)
        await websocket.send_json({"user": principal.user_id, "offered": websocket.scope["subprotocols"]})
        await websocket.close()

    @app.api_route("/{path:path}", methods=METHODS)
    async def anything(principal: CurrentPrincipal) -> dict[str, Any]:
        reached.append(principal.user_id)
        return {"user": principal.user_id, "credential": principal.credential}
