"""`add_routes` of LangServe, over a Gatehouse application: a pytest plugin for LangServe's own tests.

What a test registers becomes entries of one application for each of its FastAPI applications, behind a real
uvicorn; the test's requests are sent on to it with a credential. Each option of `add_routes` is taken as
docs/migrating.md says. LangServe serves a runnable without a path too, under its own name: such a one is an
entry of that name, and where the answers name its run by the entry's path, the test sees its own name.
"""

import json
import os
import re
from asyncio import AbstractEventLoop, run_coroutine_threadsafe, to_thread, wrap_future
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from unittest.mock import Mock

import httpx
import langserve
import langserve.server
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.routing import _IncludedRouter
from langchain_core.runnables import Runnable, RunnableLambda
from langserve import api_handler
from live_app import AMPLE, JWT_SECRET, bearer, running
from live_redis import empty_redis
from migrated_databases import migrated_copy
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from gatehouse import BadRegistry, Entry, Settings, create_app
from gatehouse.registry.checked import checked
from gatehouse.registry.entry import TRACED
from gatehouse.services import Services
from gatehouse.usage.langsmith import LangSmith

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
REST = "/{rest:path}"
LINE_ENDS = os.environ["GATEHOUSE_PEERS_LINE_ENDS"]
OF_ONE_HOP = {"content-length", "content-encoding", "transfer-encoding", "connection", "host"}


@dataclass(frozen=True, eq=False)
class Registered:
    """One call of `add_routes`: an entry, and the endpoint of the test's application that stands for it."""

    entry: Entry
    own_name: str  # of a runnable without a path

    async def sent_on(self, request: Request) -> Response:
        live = await to_thread(server_of, request.app)
        path = request.scope["path"]
        at, registered = longest_that_fits(path, request.app)
        served, rest = entry_at(registered, at), path.removeprefix(f"{at}/")
        asked = {name: value for name, value in request.headers.items() if name not in OF_ONE_HOP}
        asking = live.ask(
            request.method,
            f"{served.path}/{rest}",
            params=request.query_params,
            content=await request.body(),
            headers={**asked, **bearer()},
        )
        answer = await wrap_future(run_coroutine_threadsafe(asking, live.loop))
        headers = {name: value for name, value in answer.headers.items() if name not in OF_ONE_HOP}
        content = with_line_ends(registered.renamed(answer.content, served), headers)
        return Response(content, answer.status_code, headers)

    def renamed(self, body: bytes, served: Entry) -> bytes:
        if not self.own_name:
            return body
        return body.replace(json.dumps(served.path).encode(), json.dumps(self.own_name).encode())


def with_line_ends(body: bytes, headers: Mapping[str, str]) -> bytes:
    """Return a body; of an event stream with the ends of lines that a test looks for."""
    streamed = headers.get("content-type", "").startswith("text/event-stream")
    return body.replace(b"\n", b"\r\n") if streamed and LINE_ENDS == "CRLF" else body


def add_routes(
    app: FastAPI | APIRouter,
    runnable: Runnable[Any, Any],
    *,
    path: str = "",
    config_keys: Sequence[str] = ("configurable",),
    serializer: Any = None,
    **options: Any,
) -> None:
    """Register a runnable with the application that Gatehouse is for this one. Raises as LangServe's."""
    if not isinstance(runnable, Runnable):
        raise TypeError(f"Expected a Runnable, got {type(runnable)}")
    if path and not path.startswith("/"):
        raise ValueError(f"Got an invalid path: {path}")
    own_name = "" if path else runnable.get_name()
    if serializer is not None:
        runnable = runnable | RunnableLambda(serializer.dumpd)
    fields = tuple(spec.id for spec in runnable.config_specs) if "configurable" in config_keys else ()
    entry = Entry(
        path or f"/{re.sub('[^a-z0-9]', '_', own_name.lower()).strip('_')}",
        lambda _parts: runnable,
        "A runnable of LangServe's tests.",
        configurable=fields,
        client_history=True,
        client_tracing=[name for name in TRACED if name in config_keys],
        **entry_options(**options),
    )
    registered = Registered(entry, own_name)
    try:
        checked("add_routes", [*(other.entry for _, other in registered_of(app.routes)), entry])
    except BadRegistry as error:
        raise ValueError(str(error)) from error
    app.add_route(
        f"{getattr(app, 'prefix', '')}{path}{REST}",
        registered.sent_on,
        methods=METHODS,
        include_in_schema=False,
    )
    if isinstance(app, FastAPI):
        app.openapi = lambda: openapi_of(app)  # type: ignore[method-assign]


def entry_options(
    *,
    input_type: Any = "auto",
    output_type: Any = "auto",
    playground_type: Any = "default",
    enable_feedback_endpoint: bool = False,
    token_feedback_config: Mapping[str, Any] | None = None,
    include_callback_events: bool = False,
    enabled_endpoints: Sequence[str] | None = None,
    disabled_endpoints: Sequence[str] | None = None,
    **_others: Any,
) -> dict[str, Any]:
    """Return the options that entries have. Of the others, tests that need one fail: see the list."""
    typed = {"input_type": input_type, "output_type": output_type}
    given = {name: value for name, value in typed.items() if not isinstance(value, str)}
    return {
        **given,
        "playground": playground_type,
        "enable_feedback_endpoint": enable_feedback_endpoint,
        "token_feedback": [each["key"] for each in (token_feedback_config or {}).get("key_configs", ())],
        "include_callback_events": include_callback_events,
        "enabled_endpoints": enabled_endpoints,
        "disabled_endpoints": disabled_endpoints,
    }


def registered_of(routes: Sequence[BaseRoute], prefix: str = "") -> list[tuple[str, Registered]]:
    """Return what was registered, after the path under which it is in these routes."""
    found: list[tuple[str, Registered]] = []
    for route in routes:
        if isinstance(route, _IncludedRouter):
            within = prefix + route.include_context.prefix
            found += registered_of(route.original_router.routes, within)
        elif isinstance(route, Route) and isinstance(
            one := getattr(route.endpoint, "__self__", None), Registered
        ):
            found.append((prefix + route.path.removesuffix(REST), one))
    return found


def longest_that_fits(path: str, app: FastAPI) -> tuple[str, Registered]:
    """Return what a path is under: one without a path stands for every other."""
    fitting = [found for found in registered_of(app.routes) if path.startswith(f"{found[0]}/")]
    return max(fitting, key=lambda found: len(found[0]))


def entry_at(registered: Registered, path: str) -> Entry:
    return replace(registered.entry, path=path or registered.entry.path)


@dataclass(frozen=True)
class Server:
    """An application that uvicorn serves in a thread. `ask` calls it there, in the caller's own context.

    A socket would leave that behind: by it LangServe's tests look from a client into the server's run.
    """

    app: FastAPI
    services: Services
    loop: AbstractEventLoop

    async def ask(self, method: str, path: str, **asked: Any) -> httpx.Response:
        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self.app({**scope, "state": {"services": self.services}}, receive, send)

        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.request(method, path, **asked)


@contextmanager
def server(folder: Path, entries: Sequence[Entry], **changes: Any) -> Iterator[Server]:
    """Yield a server of these entries."""
    migrated_copy(folder / "gatehouse.db")
    settings = Settings(
        _env_file=None, model="scripted", data_dir=folder, redis_url=empty_redis(), jwt_secret=JWT_SECRET,
        plans=AMPLE, drain_seconds=1, **changes,
    )  # fmt: skip
    app = create_app(settings, entries)
    with running(app, settings) as live:
        langsmith = langsmith_of_test()
        services = replace(live.services, langsmith=langsmith) if langsmith else live.services
        yield Server(app, services, live.loop)


class Awaited:
    """What a test has in LangSmith's client's place, as an asynchronous client."""

    def __init__(self, client: Mock) -> None:
        self.client = client

    def __getattr__(self, name: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def called(*given: Any, **named: Any) -> Any:
            return getattr(self.client, name)(*given, **named)

        return called


def langsmith_of_test() -> LangSmith | None:
    """Return LangSmith with the client that a test has patched into LangServe, None where it has not."""
    patched = vars(api_handler)["ls_client"]
    return LangSmith(cast("Any", Awaited(patched.Client()))) if isinstance(patched, Mock) else None


@dataclass
class Servers:
    """The servers of one test."""

    stack: ExitStack = field(default_factory=ExitStack)
    live: dict[tuple[Any, ...], Server] = field(default_factory=dict)


SERVERS = Servers()


def server_of(app: FastAPI) -> Server:
    """Return the server of what was registered with an application so far."""
    registered = registered_of(app.routes)
    key = (id(app), *(path for path, _ in registered))
    if key not in SERVERS.live:
        entries = [entry_at(one, path) for path, one in registered]
        folder = Path(SERVERS.stack.enter_context(TemporaryDirectory()))
        langsmith = {"langsmith_api_key": "of-a-test"} if langsmith_of_test() else {}
        SERVERS.live[key] = SERVERS.stack.enter_context(
            server(folder, entries, root_path=app.root_path, unknown_configurable="ignore", **langsmith)
        )
    return SERVERS.live[key]


def openapi_of(app: FastAPI) -> dict[str, Any]:
    live = server_of(app)
    asked = run_coroutine_threadsafe(live.ask("GET", "/openapi.json", headers=bearer()), live.loop)
    document: dict[str, Any] = asked.result().raise_for_status().json()
    return document


@pytest.fixture(autouse=True)
def _servers() -> Iterator[None]:
    api_handler._SEEN_NAMES, api_handler._MODEL_REGISTRY = set(), {}  # of one process that serves one list
    with SERVERS.stack:
        yield
    SERVERS.live.clear()


OUTCOMES: dict[str, str] = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    name = report.nodeid.partition("unit_tests/")[2]
    if report.when == "call" or report.outcome != "passed":
        OUTCOMES[name] = report.outcome


def pytest_sessionfinish() -> None:
    Path(os.environ["GATEHOUSE_PEERS_OUTCOMES"]).write_text(json.dumps(OUTCOMES))


langserve.add_routes = langserve.server.add_routes = add_routes
