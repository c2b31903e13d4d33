"""The routes of threads over a real store and a real run engine, for callers that tests name."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
from fastapi import FastAPI
from langchain_core.runnables import Runnable, RunnableGenerator
from langgraph.checkpoint.memory import InMemorySaver
from live_redis import empty_redis
from redis.asyncio import Redis
from starlette.types import ASGIApp, Receive, Scope, Send
from thread_callers import principal

from gatehouse.identity.principal import Principal
from gatehouse.registry.entry import Entry
from gatehouse.runs.engine import RunEngine
from gatehouse.runs.lifecycle.conducting import Conductor
from gatehouse.runs.tending import open_runs
from gatehouse.settings import Settings
from gatehouse.settings.engine import EngineSettings
from gatehouse.threads.history import ThreadHistory
from gatehouse.threads.store import ThreadStore
from gatehouse.web.error_handlers import add_error_handlers
from gatehouse.web.middleware.request_context import RequestContext
from gatehouse.web.request_state import state_of
from gatehouse.web.resources.threads import router

ENTRIES = {name: Entry(f"/{name}", lambda _: RUNNABLES["/chat"], "Never ends.") for name in ("chat", "agent")}


@dataclass(frozen=True, slots=True)
class Parts:
    """The services that these routes use."""

    threads: ThreadStore
    runs: RunEngine
    settings: Settings = field(default_factory=lambda: Settings(_env_file=None))
    entries: Mapping[str, Entry] = field(default_factory=lambda: ENTRIES)


class SignedIn:
    """Lets the header `x-caller: TENANT/USER` say who is calling; gatehouse.auth has tests of its own."""

    def __init__(self, app: ASGIApp, services: Parts) -> None:
        self.app = app
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        tenant_id, user_id = dict(scope["headers"])[b"x-caller"].decode().split("/")
        state_of(scope).principal = principal(tenant_id, user_id)
        scope["state"]["services"] = self.services
        await self.app(scope, receive, send)


async def endless(_input: AsyncIterator[Any]) -> AsyncIterator[str]:
    """An answer that goes on until it is stopped."""
    while True:
        yield "word "
        await asyncio.sleep(0.01)


RUNNABLES: Mapping[str, Runnable[Any, Any]] = {
    "/chat": RunnableGenerator(endless),
    "/agent": RunnableGenerator(endless),
}


@asynccontextmanager
async def open_parts(threads: ThreadStore) -> AsyncIterator[Parts]:
    """Yield the services, with an engine that executes no run."""
    async with Redis.from_url(empty_redis()) as redis:
        history = ThreadHistory(threads, 2000)
        yield Parts(
            threads, RunEngine(Conductor(redis, RUNNABLES, history, InMemorySaver(), EngineSettings()))
        )


@asynccontextmanager
async def open_running_parts(threads: ThreadStore) -> AsyncIterator[Parts]:
    """Yield the services, with an engine that executes runs."""
    async with Redis.from_url(empty_redis()) as redis:
        history = ThreadHistory(threads, 2000)
        async with open_runs(redis, RUNNABLES, history, InMemorySaver(), EngineSettings()) as runs:
            yield Parts(threads, runs)


def application(services: Parts) -> FastAPI:
    app = FastAPI()
    add_error_handlers(app, ())
    app.include_router(router)
    app.add_middleware(SignedIn, services=services)
    app.add_middleware(RequestContext)
    return app


def client_of(app: FastAPI, caller: Principal) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://test",
        headers={"x-caller": f"{caller.tenant_id}/{caller.user_id}"},
    )
