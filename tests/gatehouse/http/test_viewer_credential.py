"""Whoever follows a run with a credential of their own sees nothing more of it when that ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from live_app import LiveApp, serving
from probe_runnables import Endless, probes
from sse_frames import frames_of

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import CredentialExpired
from gatehouse.registry.entry import Entry
from gatehouse.runs.events import Cursor, Record, Token, record
from gatehouse.wires import event_stream, sse, viewer_credential
from gatehouse.wires.run_api.projection import RETRY, Typed
from gatehouse.wires.viewer_credential import ViewerCredential, while_held

ALICE = Principal("acme", "alice", "Alice", frozenset(), "api_key", "k1")


class Records:
    """Records one by one; `closed` when nobody reads on."""

    def __init__(self) -> None:
        self.closed = False

    async def read(self) -> AsyncIterator[list[Record]]:
        try:
            for number in range(1, 4):
                yield [record(Cursor(1, number), Token(f"t{number}"))]
        finally:
            self.closed = True


async def refuse(_principal: Principal) -> bool:
    return False


async def fail(_principal: Principal) -> bool:
    raise OSError("away")


async def chunks_of(records: AsyncIterator[list[Record]]) -> list[bytes]:
    """Return what a viewer is sent of these records."""
    stream = sse.event_stream("run-1", records, Typed("run-1"), 30)
    return [frame async for frame in stream.frames]


class TestWhileHeld:
    async def test_shows_nothing_after_the_credential_ended(self, monkeypatch: pytest.MonkeyPatch) -> None:
        records, shown = Records(), []
        held = while_held(ViewerCredential(ALICE, refuse), records.read())
        shown += await anext(held)
        monkeypatch.setattr(viewer_credential, "CHECK_EVERY", 0.0)
        with pytest.raises(CredentialExpired):
            await anext(held)
        assert [item.cursor for item in shown] == [Cursor(1, 1)]
        assert records.closed

    async def test_is_asked_about_now_and_then(self, monkeypatch: pytest.MonkeyPatch) -> None:
        asked = []

        async def valid(principal: Principal) -> bool:
            asked.append(principal)
            return True

        clock = SimpleNamespace(now=0.0)
        clock.monotonic = lambda: clock.now
        monkeypatch.setattr(viewer_credential, "time", clock)
        credential = ViewerCredential(ALICE, valid)
        for clock.now in (5.0, 11.0, 12.0, 20.0, 22.0):
            assert await credential.still_holds()
        assert asked == [ALICE, ALICE]

    async def test_goes_on_where_it_cannot_be_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(viewer_credential, "CHECK_EVERY", 0.0)
        held = while_held(ViewerCredential(ALICE, fail), Records().read())
        assert len([ready async for ready in held]) == 3


class TestEventStream:
    async def test_ends_with_an_error_that_has_no_id_and_no_end(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(viewer_credential, "CHECK_EVERY", 0.0)
        held = while_held(ViewerCredential(ALICE, refuse), Records().read())
        chunks = await chunks_of(held)
        assert chunks[0] == RETRY
        lines = chunks[1].decode().split("\n")
        assert lines[0] == "event: error"
        problem = json.loads(lines[1].removeprefix("data: "))["problem"]
        assert (problem["status"], problem["instance"]) == (401, "urn:gatehouse:run:run-1")
        assert len(chunks) == 2

    async def test_shows_what_was_ready_before_the_error(self) -> None:
        async def records() -> AsyncIterator[list[Record]]:
            for number in (1, 2):
                yield [record(Cursor(1, number), Token(f"t{number}"))]
            raise CredentialExpired

        chunks = await chunks_of(records())
        kinds = [line for chunk in chunks[1:] for line in chunk.decode().split("\n") if "event:" in line]
        assert kinds == ["event: token", "event: token", "event: error"]


class TestRoute:
    def test_ends_the_stream_of_a_viewer_whose_own_credential_was_revoked(
        self, live: LiveApp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The run is another credential's of the same user, and goes on."""
        monkeypatch.setattr(viewer_credential, "CHECK_EVERY", 0.1)
        key = live.api_key("alice", "acme")
        with live.client() as starter, live.client({"x-api-key": key}) as viewer:
            body = {"query": "x", "runnable": "endless"}
            with starter.stream("POST", "/api/chat/stream", json=body) as own:
                run_id = own.headers["x-run-id"]
                with viewer.stream("GET", f"/api/runs/{run_id}/stream") as stream:
                    frames = frames_of(stream.iter_lines())
                    assert next(frames).type == "start"
                    live.run(live.services.authenticator.api_keys.revoke(key.split("_")[2]))
                    seen = list(frames)
                assert live.running(run_id)
                starter.post(f"/api/runs/{run_id}/cancel")
        assert seen[-1].event == "error"
        assert seen[-1].data["problem"]["type"] == "urn:gatehouse:problem:credential-expired"
        assert "end" not in [frame.event for frame in seen]

    def test_sends_a_comment_while_nothing_happens(
        self, live: LiveApp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(event_stream, "HEARTBEAT_SECONDS", 1)
        assert event_stream.HEARTBEAT_SECONDS < 60 < live.settings.run_deadline
        with (
            live.client() as client,
            client.stream("POST", "/api/chat/stream", json={"query": "x", "runnable": "silent"}) as stream,
        ):
            run_id = stream.headers["x-run-id"]
            comments = (line for line in stream.iter_lines() if line.startswith(":"))
            assert next(comments).startswith(": ping")
            client.post(f"/api/runs/{run_id}/cancel")


async def silent(_request: dict[str, Any]) -> str:
    await asyncio.sleep(60)
    return "late"


@pytest.fixture
def live(tmp_path: Path) -> Iterator[LiveApp]:
    mute = Entry("/silent", lambda _: RunnableLambda(silent), "Says nothing for long.")
    with serving(tmp_path, [*probes(Endless()), mute]) as live:
        yield live
