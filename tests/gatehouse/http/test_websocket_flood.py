"""What a WebSocket may cost: every message counts, and frames of any kind are bounded."""

import asyncio
import json
from typing import Any

import pytest
from waiting import until
from websocket_server import ALICE, Server, serving
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode

from gatehouse.limits.limiter import Limiter
from gatehouse.process import stalled
from gatehouse.settings.plans import Plan, Plans

PLAN = {"requests_per_minute": 60, "burst": 8, "concurrent_runs": 4}


async def remaining(server: Server) -> int:
    """Return how many requests the caller has left."""
    plans = Plans({"default": Plan(**PLAN)})
    standing = await Limiter(server.runs.redis, plans, server.runs.conductor.reservations, "refuse").look(
        ALICE
    )
    assert standing is not None
    return {limit.name: limit.remaining for limit in standing.limits()}["requests"]


FRAMES: list[dict[str, Any]] = [
    {"type": "resume", "run_id": "0198c0de-0000-7000-8000-000000000009"},
    {"type": "cancel", "run_id": "0198c0de-0000-7000-8000-000000000009"},
    {"type": "ping"},
    {"type": "nonsense"},
    {"message": ""},
    {"message": "hello", "runnable": "nowhere"},
    {"message": "hello", "runnable": "vault"},
    {"message": "hello", "thread_id": "0198c0de-0000-7000-8000-000000000009"},
]


class TestMessages:
    @pytest.mark.parametrize("frame", FRAMES, ids=json.dumps)
    async def test_count_whatever_they_are(self, frame: dict[str, Any]) -> None:
        async with serving(plans={"default": PLAN}) as server, server.client() as client:
            before = await remaining(server)
            await client.send(frame)
            await client.receive()
            assert before - await remaining(server) == 1

    async def test_over_the_limit_are_refused_and_the_socket_stays(self) -> None:
        async with serving(plans={"default": PLAN}) as server, server.client() as client:
            answers = []
            for _ in range(12):
                await client.send(FRAMES[0])
                answers.append((await client.receive())["problem"]["status"])
            assert answers[:8] == [404] * 8
            assert 429 in answers[8:]
            await client.send({"type": "ping"})
            await client.receive()


class TestFrames:
    @pytest.mark.parametrize(
        "opcode",
        [Opcode.TEXT, Opcode.BINARY, Opcode.PING, Opcode.PONG, Opcode.CONT],
        ids=lambda opcode: opcode.name,
    )
    async def test_without_end_are_cut(self, opcode: Opcode) -> None:
        async with serving() as server, server.client() as client:
            raw = client.connection.transport
            raw.pause_reading()  # it does not see that the server closes after so many bad messages
            if opcode is Opcode.CONT:
                raw.write(frame_of(Opcode.TEXT, fin=False))
            sent = 0
            while not raw.is_closing() and sent < 200_000:
                raw.write(frame_of(opcode, fin=opcode is not Opcode.CONT) * 1000)
                sent += 1000
                await asyncio.sleep(0.001)
            assert sent < 200_000
            with pytest.raises(ConnectionClosed):
                await client.connection.recv()

    async def test_are_taken_as_often_as_people_send_them(self) -> None:
        async with serving() as server, server.client() as client:
            for _ in range(100):
                await (await client.connection.ping())
            await client.connection.send(iter(json.dumps({"type": "ping"})))
            assert await client.receive() == {"type": "pong"}


def frame_of(opcode: Opcode, *, fin: bool) -> bytes:
    return Frame(opcode, b"", fin).serialize(mask=True)


class TestReaderOfNothing:
    async def test_has_its_connection_aborted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(stalled, "LOOK_SECONDS", 0.1)
        monkeypatch.setattr(stalled, "CLOSING_SECONDS", 0.2)
        async with serving(send_timeout=1) as server, server.client(narrow=True) as client:
            client.connection.transport.pause_reading()
            await client.send({"message": "flood"})
            await asyncio.sleep(0)
            await until(lambda: len(server.connections) == 0, 20)
