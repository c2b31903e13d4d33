"""Whoever follows a run with a credential of their own sees nothing more of it when that ends."""

import json
from collections.abc import AsyncIterator

import pytest

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import CredentialExpired
from gatehouse.runs.events import Cursor, Record, Token, record
from gatehouse.wires import sse, viewer_credential
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
        body = sse.event_stream("run-1", held, sse.typed, 30).body_iterator
        chunks = [chunk async for chunk in body]
        assert chunks[0] == sse.RETRY
        lines = bytes(chunks[1]).decode().split("\r\n")  # type: ignore[arg-type]
        assert lines[0] == "event: error"
        problem = json.loads(lines[1].removeprefix("data: "))["problem"]
        assert (problem["status"], problem["instance"]) == (401, "urn:gatehouse:run:run-1")
        assert len(chunks) == 2
