"""A real server on loopback with the WebSocket over a real engine, and clients that talk to it."""

import asyncio
import json
import socket
from collections import ChainMap
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.runnables import Runnable, RunnableConfig, RunnableGenerator
from langgraph.checkpoint.memory import InMemorySaver
from live_redis import empty_redis
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.server import ServerState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gatehouse.identity.principal import Principal
from gatehouse.limits.limits import limits_of
from gatehouse.problems.errors import NotFound
from gatehouse.process.protocol import BoundedHead
from gatehouse.process.websocket_protocol import BoundedWebSocket
from gatehouse.registry.checked import checked
from gatehouse.registry.entry import Entry
from gatehouse.runs.conversation.files import Block
from gatehouse.runs.conversation.places import StatePlace
from gatehouse.runs.credentials import CredentialValid
from gatehouse.runs.engine import RunEngine
from gatehouse.runs.events import Event
from gatehouse.runs.records import RunRecord
from gatehouse.runs.sources.steps import Step, ToolCalled, ToolReturned
from gatehouse.runs.tending import open_runs
from gatehouse.settings import Settings
from gatehouse.settings.engine import EngineSettings
from gatehouse.storage.opening import redis_of
from gatehouse.web.error_handlers import add_error_handlers
from gatehouse.web.middleware.request_context import RequestContext
from gatehouse.web.request_state import state_of
from gatehouse.wires.websocket.routes import router

Json = dict[str, Any]

ALICE = Principal("acme", "alice", "Alice", frozenset({"runnable:chat", "runnable:agent"}), "jwt", "a")
BOB = Principal("beta", "bob", "Bob", frozenset({"*"}), "jwt", "b")


async def always(_principal: Principal) -> bool:
    return True


class Threads:
    """Knows whose each thread is, and keeps no message."""

    def __init__(self) -> None:
        self.owners: dict[str, str] = {}

    async def get(self, principal: Principal, thread_id: str) -> Any:
        if self.owners.get(thread_id) != principal.user_id:
            raise NotFound("There is no such thread.")
        return SimpleNamespace(runnable="chat")

    async def begin(self, run: RunRecord) -> None:
        if run.opens_thread:
            self.owners[run.thread_id or ""] = run.principal.user_id
        if self.owners.get(run.thread_id or "") != run.principal.user_id:
            raise NotFound("There is no such thread.")

    async def undo(self, run: RunRecord) -> None:
        pass

    async def before(self, run: RunRecord) -> list[BaseMessage]:
        return []

    async def files(self, run: RunRecord) -> list[Block]:
        return []

    async def place(self, run: RunRecord) -> StatePlace:
        return StatePlace(run.id)

    async def keep(self, run: RunRecord, steps: list[Event]) -> None:
        pass


@dataclass
class Script:
    """Steers the runnables: those that wait go on when `gate` is set."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def talk(self, requests: AsyncIterator[Json]) -> AsyncIterator[str]:
        """Say the words of the message: `wait` waits for the gate, `fail` fails, `flood` says 4 MB."""
        async for request in requests:
            for word in request["input"].split():
                match word:
                    case "wait":
                        await self.gate.wait()
                    case "fail":
                        raise ValueError("a secret")
                    case "flood":
                        for _ in range(1000):
                            yield "x" * 4096
                    case _:
                        yield f"{word} "


class Assistant(Runnable[Json, AIMessageChunk]):
    """Calls one tool and says what it returned."""

    def invoke(self, input: Json, config: RunnableConfig | None = None, **kwargs: Any) -> AIMessageChunk:
        raise NotImplementedError

    async def asteps(self, input: Json, config: RunnableConfig) -> AsyncGenerator[Step]:
        yield ToolCalled("add", "call-1", {"a": 1, "b": 2})
        yield ToolReturned("add", "call-1", "3", is_error=False)
        yield AIMessageChunk(content="It is 3.")


class SignedIn:
    """Stands where gatehouse.web.middleware.authenticate does: the principal is whom `x-user` names."""

    def __init__(self, app: ASGIApp, principals: Mapping[str, Principal]) -> None:
        self.app = app
        self.principals = principals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            name = dict(scope["headers"]).get(b"x-user", b"alice").decode()
            state_of(scope).principal = self.principals[name]
        await self.app(scope, receive, send)


class Client:
    """One socket, spoken to in JSON."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, frame: Any) -> None:
        await self.connection.send(frame if isinstance(frame, str | bytes) else json.dumps(frame))

    async def receive(self) -> Json:
        frame: Json = json.loads(await asyncio.wait_for(self.connection.recv(), 10))
        return frame

    async def ask(self, frame: Any) -> Json:
        """Send a frame and return the next one that comes."""
        await self.send(frame)
        return await self.receive()

    async def until(self, wanted: Callable[[Json], bool]) -> list[Json]:
        """Return the frames up to and with the first that is wanted."""
        frames = [await self.receive()]
        while not wanted(frames[-1]):
            frames.append(await self.receive())
        return frames

    async def until_end(self) -> list[Json]:
        return await self.until(lambda frame: frame.get("type") == "end")

    async def closed(self) -> tuple[int | None, str | None]:
        """Return the close code and reason once the server has closed; frames before it are dropped."""
        with suppress(ConnectionClosed):
            while True:
                await asyncio.wait_for(self.connection.recv(), 10)
        return self.connection.close_code, self.connection.close_reason


@dataclass
class Server:
    """A served engine. `script` steers its runnables, `runs` is what the sockets use."""

    port: int
    runs: RunEngine
    threads: Threads
    script: Script
    tasks: set[asyncio.Task[None]]
    connections: set[Any]
    path: str = "/ws/chat/"

    @asynccontextmanager
    async def client(
        self, query: str = "?events=run", user: str = "alice", *, narrow: bool = False, **options: Any
    ) -> AsyncIterator[Client]:
        """Yield a client of this user. A narrow one takes in only a few kilobytes that nobody reads."""
        if narrow:
            options["sock"] = narrow_connection(self.port)
        url = f"ws://127.0.0.1:{self.port}{self.path}{query}"
        async with connect(url, additional_headers={"x-user": user}, **options) as connection:
            yield Client(connection)

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient() as http:
            return await http.get(f"http://127.0.0.1:{self.port}{path}")

    async def ended(self, run_id: str) -> None:
        """Return when this process is done with the run."""
        await eventually(lambda: run_id not in self.runs.local)

    async def left(self) -> None:
        """Return when the server is done with every connection."""
        await eventually(lambda: not self.tasks)

    async def has_viewers(self, run_id: str, count: int) -> None:
        """Return when this many viewers follow the run."""
        await eventually(lambda: self.runs.local[run_id].viewers == count)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


def narrow_connection(port: int) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", port))
    connection.setblocking(False)
    return connection


@asynccontextmanager
async def serving(
    redis: str | None = None,
    script: Script | None = None,
    principals: dict[str, Principal] | None = None,
    credential_valid: CredentialValid = always,
    **settings: Any,
) -> AsyncIterator[Server]:
    """Yield a server on a free port; with the URL of another's `redis` it is a second replica."""
    script = script or Script()
    threads = Threads()
    entries = {
        entry.name: entry
        for entry in checked(
            "scripted",
            [
                Entry("/chat", lambda _: RunnableGenerator(script.talk), "Says what it is told to."),
                Entry("/agent", lambda _: Assistant(), "Calls a tool."),
                Entry("/vault", lambda _: Assistant(), "Not for everybody."),
            ],
        ).entries
    }
    runnables = {entry.path: entry.factory(None) for entry in entries.values()}  # type: ignore[arg-type]
    store = redis_of(redis or empty_redis(), 100)
    async with open_runs(store, runnables, threads, InMemorySaver(), EngineSettings(lease=1)) as runs:
        given = Settings(_env_file=None, **settings)
        services = SimpleNamespace(
            settings=given,
            entries=entries,
            runs=runs,
            threads=threads,
            authenticator=SimpleNamespace(standing=SimpleNamespace(credential_valid=credential_valid)),
            model=SimpleNamespace(model=SimpleNamespace(seconds_to_wait=lambda: 0.0)),
            limits=limits_of(store, runs.conductor.reservations, given.plans, "refuse", 10),
        )
        known = ChainMap({} if principals is None else principals, {"alice": ALICE, "bob": BOB})
        app = application(services, known)
        async with listening(app) as (port, state):
            yield Server(port, runs, threads, script, state.tasks, state.connections)
    await store.aclose()


def application(services: Any, principals: Mapping[str, Principal]) -> ASGIApp:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        yield {"services": services}

    app = FastAPI(lifespan=lifespan)
    add_error_handlers(app, ())
    app.include_router(router)
    return RequestContext(SignedIn(app, principals))


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[tuple[int, ServerState]]:
    """Yield the port, and uvicorn's connections and the tasks that it serves them in."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # small, so that a reader that takes nothing is noticed after kilobytes, not megabytes
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        config = uvicorn.Config(
            app,
            log_config=None,
            lifespan="on",
            timeout_graceful_shutdown=2,
            http=BoundedHead,
            ws=BoundedWebSocket,
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield listener.getsockname()[1], server.server_state
        finally:
            server.should_exit = True
            await task
