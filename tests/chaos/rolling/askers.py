"""Clients that ask again and again through nginx and read every answer to its end, over three transports."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus, WebSocketException

from bench.processes import bearer
from tests.chaos.events import events
from tests.chaos.transcript import Transcript
from tests.chaos.viewer import Question

SILENCE = 40.0  # seconds without a byte after which a client gives up: a heartbeat comes every 15
AWAY = 0.3
LATER = frozenset({502, 503, 504})
KEY_CLAIMED = 409  # by a start that a store cut short: for 30 s, and then the key is free


@dataclass(slots=True)
class Told:
    """What became of one answer. `phase` is what went on when it ended."""

    transport: str
    transcript: Transcript
    phase: str = ""
    connections: int = 0
    refused: list[str] = field(default_factory=list)  # "phase status"
    broken: list[str] = field(default_factory=list)  # the phase in which a connection ended too early


@dataclass(slots=True)
class Stage:
    """What goes on now, and whether clients are to ask again."""

    phase: str = "calm"
    asking: bool = True


class Asker:
    """One client. `ask` returns one answer that was read to its end, however many connections it took."""

    transport = ""

    def __init__(self, http: httpx.AsyncClient, url: str, question: Question, stage: Stage) -> None:
        self.http = http
        self.url = url
        self.question = question
        self.stage = stage
        self.since = stage.phase

    async def answers(self) -> AsyncIterator[Told]:
        """Yield answers until the stage is over."""
        while self.stage.asking:
            told = Told(self.transport, Transcript(self.question.tokens))
            await self.ask(told)
            told.transcript.finish()
            told.phase = self.stage.phase
            yield told

    async def ask(self, told: Told) -> None:
        raise NotImplementedError

    def connecting(self, told: Told) -> None:
        told.connections += 1
        self.since = self.stage.phase

    def refused(self, told: Told, status: int) -> None:
        told.refused.append(f"{self.phase} {status}")
        if status not in (*LATER, KEY_CLAIMED):
            told.transcript.faults.append(f"refused with {status}")

    def broken(self, told: Told) -> None:
        told.broken.append(self.phase)

    @property
    def phase(self) -> str:
        """What goes on now; in a calm, what went on when this connection was made."""
        return self.since if self.stage.phase == "calm" else self.stage.phase


class TypedAsker(Asker):
    """Reads typed server-sent events, and resumes after the last one that came."""

    transport = "typed events"

    async def ask(self, told: Told) -> None:
        key, run_id = uuid.uuid4().hex, ""
        while not told.transcript.ends:
            self.connecting(told)
            attempt, sequence = told.transcript.cursor
            at = {"last-event-id": f"{attempt}-{sequence}"} if attempt else {}
            request = (
                self.http.build_request("GET", f"{self.url}/api/runs/{run_id}/stream", headers=at)
                if run_id
                else self.http.build_request(
                    "POST",
                    f"{self.url}/api/chat/stream",
                    json={"query": self.question.text},
                    headers={"idempotency-key": key},
                )
            )
            try:
                response = await self.http.send(request, stream=True)
                async with aclosing(response):
                    run_id = await self._read(response, told) or run_id
            except httpx.TransportError:
                self.broken(told)
            if not told.transcript.ends:
                await asyncio.sleep(AWAY)

    async def _read(self, response: httpx.Response, told: Told) -> str:
        """Read as far as it goes and return the run's id; empty when there is none."""
        if response.status_code != httpx.codes.OK:
            self.refused(told, response.status_code)
            return ""
        run_id = str(response.headers["x-run-id"])
        try:
            async for event in events(response.aiter_bytes()):
                told.transcript.take(*event)
        except httpx.TransportError:
            self.broken(told)
        return run_id


class SocketAsker(Asker):
    """Reads frames of a WebSocket, and resumes on another one."""

    transport = "WebSocket"

    async def ask(self, told: Told) -> None:
        key, run_id = uuid.uuid4().hex, ""
        url = self.url.replace("http", "ws", 1) + "/ws/chat/?events=run"
        while not told.transcript.ends:
            self.connecting(told)
            try:
                async with connect(url, additional_headers=bearer(), open_timeout=SILENCE) as socket:
                    attempt, sequence = told.transcript.cursor
                    command = {"message": self.question.text, "idempotency_key": key}
                    if run_id:
                        command = {"type": "resume", "run_id": run_id}
                        command |= {"last_event_id": f"{attempt}-{sequence}"} if attempt else {}
                    await socket.send(json.dumps(command))
                    run_id = await self._read(socket, told, run_id)
            except InvalidStatus as refusal:
                self.refused(told, refusal.response.status_code)
            except (WebSocketException, OSError):  # TimeoutError among them
                self.broken(told)
            if not told.transcript.ends:
                await asyncio.sleep(AWAY)

    async def _read(self, socket: ClientConnection, told: Told, run_id: str) -> str:
        """Read as far as it goes and return the run's id."""
        try:
            while not told.transcript.ends:
                async with asyncio.timeout(SILENCE):
                    frame = json.loads(await socket.recv())
                if "id" not in frame:  # an error about the command, not of the run
                    self.refused(told, frame["problem"]["status"])
                    break
                run_id = frame.pop("run_id", run_id)
                told.transcript.take(frame.pop("id"), frame["type"], frame)
        except (WebSocketException, OSError):
            self.broken(told)
        return run_id
