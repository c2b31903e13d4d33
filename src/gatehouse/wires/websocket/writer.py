"""Sends the frames of one WebSocket, one after the other."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from fastapi import WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected, WebSocketState

from gatehouse.problems.errors import ApiError, Unavailable
from gatehouse.problems.stores import STORE_IS_AWAY
from gatehouse.web.request_state import state_of
from gatehouse.web.server_send import ServerSend
from gatehouse.wires.websocket.projection import error_frame

log = structlog.get_logger(__name__)

CLOSE_SECONDS = 1.0
SERVICE_RESTART = 1012  # IANA: the client may come back at once, to another replica


class Leave(Exception):
    """Ends the socket with this close code; without one the client is gone already."""

    def __init__(self, code: int | None = None, reason: str = "") -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


class Writer:
    """All that is sent on a socket goes through here.

    Nothing is queued: a run's viewer waits until its frame was taken, while the run itself goes on.
    """

    def __init__(self, websocket: WebSocket, frames: ServerSend) -> None:
        self.websocket = websocket
        self.request_id = state_of(websocket).id
        self._frames = frames
        self._sending = asyncio.Lock()
        self._began: float | None = None

    async def send(self, *frames: str) -> None:
        """Send frames, and none of another run between them.

        Raises Leave when the client is gone, or the socket was closed.
        """
        await self._sending.acquire()
        try:
            if self.websocket.application_state is not WebSocketState.CONNECTED:
                raise Leave
            for frame in frames:
                self._began = time.monotonic()
                await self._frames.send({"type": "websocket.send", "text": frame})
        except (OSError, WebSocketDisconnect, WebSocketDisconnected):
            raise Leave from None
        finally:
            self._began = None
            self._sending.release()

    def waiting_seconds(self) -> float:
        """Return how long the client has not taken the frame that is being sent; 0 when there is none.

        To be asked now and then: a timeout around each send took 8 µs of the 10 that a frame cost here.
        """
        return 0.0 if self._began is None else time.monotonic() - self._began

    async def tell(self, error: ApiError, **about: str | None) -> None:
        """Send an error; `about` names the run or the message that it is about."""
        state_of(self.websocket).seen.problem(error)
        await self.send(error_frame(error, self.request_id, **about))

    @asynccontextmanager
    async def telling(self, **about: str | None) -> AsyncIterator[None]:
        """Send what goes wrong inside as an error frame: the socket stays, with its other runs."""
        try:
            yield
        except Leave:
            raise
        except ApiError as error:
            await self.tell(error, **about)
        except STORE_IS_AWAY as error:
            log.warning("run cannot be followed", error=type(error).__name__, **about)
            await self.tell(Unavailable(), **about)
        except Exception:
            log.exception("frame failed", **about)
            await self.tell(ApiError(), **about)

    async def close(self, leaving: Leave) -> None:
        """Send the close frame, unless the client is gone."""
        if leaving.code is None:
            return
        # a reader that takes nothing does not take the close frame either
        with suppress(TimeoutError, WebSocketDisconnect, WebSocketDisconnected):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self.websocket.close(leaving.code, leaving.reason)
