"""The WebSocket: one socket, several runs at once. docs/websocket.md tells of its frames and close codes."""

import asyncio
import math
import time
from typing import NoReturn

from fastapi import APIRouter, WebSocket

from gatehouse.limits.admission import Admission
from gatehouse.limits.token_bucket import TokenBucket
from gatehouse.problems.errors import ApiError, CredentialExpired
from gatehouse.runs.credentials import CHECK_EVERY
from gatehouse.services import services_of
from gatehouse.web.dependencies import principal_of
from gatehouse.web.sending import send_problem
from gatehouse.web.server_send import ServerSend
from gatehouse.wires.viewer_credential import ViewerCredential
from gatehouse.wires.websocket.commands import (
    FRAME_BURST,
    FRAMES_PER_SECOND,
    AnyCommand,
    Cancel,
    Decide,
    MessageCommand,
    Ping,
    TooFrequent,
    parsed,
    subject_of,
)
from gatehouse.wires.websocket.projection import PONG, Vocabulary, vocabulary_of
from gatehouse.wires.websocket.viewers import Viewers
from gatehouse.wires.websocket.writer import SERVICE_RESTART, Leave, Writer

SUBPROTOCOL = "gatehouse"
MAX_BAD_FRAMES = 10
IDLE_SECONDS = 600.0
DRAIN_IDLE_SECONDS = 1.0  # in which a socket that has just come names the run that it reads on
LAST_FRAMES_SECONDS = 15.0  # in which another process has ended its runs
LOOKS = 4  # at a frame that is not taken, until it has taken too long

GOING_AWAY = 1001
INTERNAL_ERROR = 1011
BAD_FRAMES = 4400
CREDENTIAL_ENDED = 4401
TIMED_OUT = 4408


class UpgradeRequired(ApiError):
    """RFC 9110 section 15.5.22."""

    status = 426
    kind = "upgrade-required"
    default_detail = "This is a WebSocket: connect with ws:// or wss://."

    def __init__(self) -> None:
        super().__init__(headers={"upgrade": "websocket", "connection": "upgrade"})


router = APIRouter(prefix="/ws")


@router.websocket("/chat")
@router.websocket("/chat/")
async def chat(websocket: WebSocket) -> None:
    """Serve one socket in the vocabulary that `?events=` names."""
    try:
        vocabulary = vocabulary_of(websocket.query_params)
    except ApiError as error:  # an exception handler's response would not reach a handshake
        await send_problem(error, websocket.scope, websocket.receive, websocket.send)
        return
    offered = websocket.scope.get("subprotocols", ())
    # a browser that offered subprotocols gives up unless one of them is chosen
    frames = ServerSend(websocket.send)
    await websocket.receive()  # that a client wants to connect
    subprotocol = SUBPROTOCOL if SUBPROTOCOL in offered else None
    await websocket.send(
        frames.begins({"type": "websocket.accept", "subprotocol": subprotocol, "headers": []})
    )
    await Socket(websocket, vocabulary, frames).serve()


@router.get("/chat", include_in_schema=False)
@router.get("/chat/", include_in_schema=False)
async def upgrade_required() -> None:
    raise UpgradeRequired


class Socket:
    """One accepted socket. Its tasks (a reader, a watch, one for each run it follows) end with it."""

    def __init__(self, websocket: WebSocket, vocabulary: Vocabulary, frames: ServerSend) -> None:
        services = services_of(websocket)
        self.websocket = websocket
        self.principal = principal_of(websocket)
        self.send_timeout = services.settings.send_timeout
        self.writer = Writer(websocket, frames)
        self.tasks = asyncio.TaskGroup()
        self.viewers = Viewers(services, self.principal, vocabulary, self.writer, self.tasks)
        self.bucket = TokenBucket(FRAME_BURST, FRAMES_PER_SECOND)
        self.limiter = services.limits.limiter
        self.credential = ViewerCredential(self.principal, services.authenticator.standing.credential_valid)
        self.drain = services.runs.drain
        self.ended = False  # the credential has
        self.last_frame = time.monotonic()

    async def serve(self) -> None:
        """Return when the client has left or the socket was closed."""
        leaving = Leave(GOING_AWAY)  # it stays this when the server cancels the task
        try:
            async with self.tasks:
                self.tasks.create_task(self._watch(), name="websocket watch")
                await self._read()
        except* Leave as group:
            leaving = first_of(group)
        except* Exception:
            leaving = Leave(INTERNAL_ERROR)
            raise
        finally:
            await self.writer.close(leaving)

    async def _read(self) -> None:
        """Obey frames until the client leaves. Raises Leave."""
        bad = 0
        while True:
            event = await self.websocket.receive()
            if event["type"] == "websocket.disconnect":
                raise Leave
            self.last_frame = time.monotonic()
            try:
                if not self.bucket.take():
                    raise TooFrequent
                command = parsed(event.get("text"))
            except ApiError as error:
                await self._charge()
                await self.writer.tell(error)
                bad += 1
                if bad == MAX_BAD_FRAMES:
                    raise Leave(BAD_FRAMES, "too many bad frames") from None
                continue
            bad = 0
            # a message is charged with the run that it starts
            if isinstance(command, MessageCommand) or await self._charge(**subject_of(command)):
                await self._obey(command)

    async def _charge(self, **about: str | None) -> bool:
        """Charge a frame as a request; False when there is no room for it, which is told."""
        try:
            await Admission(self.limiter, self.principal).charge()
        except ApiError as error:
            await self.writer.tell(error, **about)
            return False
        return True

    async def _obey(self, command: AnyCommand) -> None:
        if self.ended:
            await self.writer.tell(CredentialExpired())
            return
        match command:
            case Ping():
                await self.writer.send(PONG)
            case Decide():
                await self.viewers.decide(command)
            case Cancel():
                await self.viewers.cancel(command)
            case _:
                await self.viewers.add(command)

    async def _watch(self) -> None:
        """Raise Leave when the credential expires, frames are not read, or nothing goes on for long."""
        while True:
            valid, idle = self._valid_seconds(), self._idle_seconds()
            if valid <= 0 or not await self.credential.still_holds():
                await self._end_with_credential()
            if self.writer.waiting_seconds() >= self.send_timeout:
                raise Leave(TIMED_OUT, "frames are not read")
            if idle >= IDLE_SECONDS:
                raise Leave(TIMED_OUT, "idle")
            if self.drain.refusing and not self.viewers.viewing and idle >= DRAIN_IDLE_SECONDS:
                raise Leave(SERVICE_RESTART, "service restart")
            await self.drain.pause(min(valid, IDLE_SECONDS - idle, self.send_timeout / LOOKS, CHECK_EVERY))

    async def _end_with_credential(self) -> NoReturn:
        """Raise Leave, when the runs that end with the credential have told so."""
        self.ended = True
        if self.viewers.viewing:
            await asyncio.wait(self.viewers.viewing, timeout=LAST_FRAMES_SECONDS)
        await self.writer.tell(CredentialExpired())
        raise Leave(CREDENTIAL_ENDED, "the credential has expired or was revoked")

    def _valid_seconds(self) -> float:
        expires_at = self.principal.expires_at
        return math.inf if expires_at is None else expires_at - time.time()

    def _idle_seconds(self) -> float:
        if self.viewers.viewing:
            return 0.0
        return time.monotonic() - max(self.last_frame, self.viewers.last_left)


def first_of(group: BaseExceptionGroup[Leave]) -> Leave:
    """Return the exception that ended the socket; those after it are its consequences."""
    first = group.exceptions[0]
    return first_of(first) if isinstance(first, BaseExceptionGroup) else first
