"""The whole application behind uvicorn on a loopback port, in a thread of its own: clients may block."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvicorn
from langserve import RemoteRunnable
from live_redis import empty_redis
from migrated_databases import migrated_copy
from starlette.types import ASGIApp

from gatehouse.auth.tokens.issuing import issue_token
from gatehouse.main import create_app
from gatehouse.process.listening import options
from gatehouse.registry.entry import Entry
from gatehouse.services import Services
from gatehouse.settings import Settings

# tests ask more at once than a person does; those of the limits say what they are
AMPLE = {"default": {"requests_per_minute": 100_000, "burst": 100_000, "concurrent_runs": 10_000}}
JWT_SECRET = "the issuer and this server know it: 0123456789"
START_SECONDS = 20

Result = TypeVar("Result")


def token(user: str = "alice", tenant: str = "acme", scopes: Sequence[str] = ("*",), **claims: Any) -> str:
    """Return a token that every server here accepts."""
    return issue_token(
        JWT_SECRET, "gatehouse", "gatehouse", user, tenant, user.title(), scopes, claims=claims
    )


def bearer(user: str = "alice", tenant: str = "acme", **further: Any) -> dict[str, str]:
    """Return the header that signs this user in."""
    return {"authorization": f"Bearer {token(user, tenant, **further)}"}


@dataclass(frozen=True)
class LiveApp:
    """A server that runs. `loop` is its thread's, `requests` are those that it is at."""

    url: str
    port: int
    settings: Settings
    services: Services
    loop: asyncio.AbstractEventLoop
    requests: Collection[object]

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what a coroutine returns that the server's own loop runs."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)

    def client(self, headers: Mapping[str, str] | None = None) -> httpx.Client:
        """Return a client that is alice of acme, or what the headers say."""
        signed_in = bearer() if headers is None else headers
        return httpx.Client(base_url=self.url, headers=signed_in, timeout=20)

    def aclient(self, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
        signed_in = bearer() if headers is None else headers
        return httpx.AsyncClient(base_url=self.url, headers=signed_in, timeout=20)

    def api_key(self, user: str = "alice", tenant: str = "acme", scopes: Sequence[str] = ("*",)) -> str:
        keys = self.services.authenticator.api_keys
        return self.run(keys.create(tenant_id=tenant, user_id=user, name=user.title(), scopes=scopes)).key

    def eventually(self, wanted: Any, seconds: float = 30.0) -> None:
        """Return when `wanted()` is true; fail when it is not in time."""
        until = time.monotonic() + seconds
        while not wanted():
            assert time.monotonic() < until, "it did not happen in time"
            time.sleep(0.02)

    def call(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return what a coroutine returns on the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def running(self, run_id: str) -> bool:
        """Tell whether the server executes this run."""
        return run_id in self.services.runs.local


Serve = Callable[..., LiveApp]
Remote = Callable[..., RemoteRunnable[Any, Any]]


@contextmanager
def serving(
    folder: Path,
    registry: Sequence[Entry] | None = None,
    at: int = 0,
    around: Callable[[ASGIApp], ASGIApp] = lambda app: app,
    **changes: Any,
) -> Iterator[LiveApp]:
    """Yield a server with these settings, whose database is in the folder, at a port or at any.

    `around` puts something around the application.
    """
    migrated_copy(folder / "gatehouse.db")
    settings = Settings(
        _env_file=None,
        **{
            "model": "scripted",
            "data_dir": folder,
            "redis_url": empty_redis(),  # a Valkey of its own would take each a tenth of a second
            "jwt_secret": JWT_SECRET,
            "drain_seconds": 1,
            "frontend_dir": folder / "no-client",  # whether or not somebody has built it here
            "plans": AMPLE,
            "claims": "portfolio_id",
            **changes,
        },
    )
    with running(around(create_app(settings, registry)), settings, at) as live:
        yield live


@contextmanager
def running(app: ASGIApp, settings: Settings, at: int = 0) -> Iterator[LiveApp]:
    """Yield `app` behind uvicorn."""
    with socket.create_server(("127.0.0.1", at)) as listener:
        # small, so that a reader that takes nothing is noticed after kilobytes, not megabytes
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        port = listener.getsockname()[1]
        config = uvicorn.Config(app, **options(settings))
        server = uvicorn.Server(config)
        runner = asyncio.Runner(loop_factory=config.get_loop_factory())
        loop = runner.get_loop()
        thread = threading.Thread(target=serve, args=(runner, server, listener))
        thread.start()
        try:
            wait_until_it_serves(server, thread)
            services = server.lifespan.state["services"]
            requests = server.server_state.tasks
            yield LiveApp(f"http://127.0.0.1:{port}", port, settings, services, loop, requests)
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


def serve(runner: asyncio.Runner, server: uvicorn.Server, listener: socket.socket) -> None:
    with runner:
        runner.run(server.serve(sockets=[listener]))


def wait_until_it_serves(server: uvicorn.Server, thread: threading.Thread) -> None:
    until = time.monotonic() + START_SECONDS
    while not server.started:
        assert thread.is_alive(), "the server did not start: its log says why"
        assert time.monotonic() < until
        time.sleep(0.01)
