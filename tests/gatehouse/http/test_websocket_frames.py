"""How records become frames, where a real run rarely goes."""

import json
from pathlib import Path

import pytest
from websocket_server import ALICE, Json, serving

from gatehouse.limits.token_bucket import TokenBucket
from gatehouse.runs.events import Cursor, Error, Event, Gap, Restart, Token, record
from gatehouse.runs.records import RunRecord
from gatehouse.wires.projection import Fold
from gatehouse.wires.websocket.projection import LangChainFrames, RunFrames, Texts

DOCUMENT = Path(__file__).parents[3] / "docs" / "websocket.md"

RUN = RunRecord("r", ALICE, "/chat", "x", None, 0.0, 300.0, 0)


def framed(wire: Fold[Texts], event: Event) -> list[Json]:
    return [json.loads(frame) for frame in wire.frames(record(Cursor(2, 7), event))]


class TestRunFrames:
    @pytest.mark.parametrize("text", ['"', "\\", "\n", "é", "\u2028", "😀", ""])
    def test_keep_any_text(self, text: str) -> None:
        assert framed(RunFrames(RUN), Token(text)) == [
            {"id": "2-7", "run_id": "r", "type": "token", "content": text}
        ]


class TestLangChainFrames:
    @pytest.mark.parametrize(
        "event",
        [
            Restart(content="gone", attempt=2),
            Gap(requested="1-1", oldest="1-9", text="so far"),
            Error(content="It failed.", problem={"status": 500}),
        ],
    )
    def test_tell_what_langchain_has_no_event_for_as_the_run_does(self, event: Event) -> None:
        assert framed(LangChainFrames(RUN), event) == framed(RunFrames(RUN), event)


class TestTokenBucket:
    def test_allows_a_burst_and_then_a_rate(self) -> None:
        now = 0.0
        bucket = TokenBucket(burst=3, per_second=2, clock=lambda: now)
        assert [bucket.take() for _ in range(4)] == [True, True, True, False]
        now = 0.5
        assert [bucket.take() for _ in range(2)] == [True, False]

    def test_saves_up_no_more_than_a_burst(self) -> None:
        now = 0.0
        bucket = TokenBucket(burst=3, per_second=2, clock=lambda: now)
        now = 1000.0
        assert [bucket.take() for _ in range(4)] == [True, True, True, False]


class TestDocument:
    async def test_shows_a_transcript_that_is_true(self) -> None:
        lines = DOCUMENT.read_text().splitlines()
        shown = [json.loads(line[2:]) for line in lines if line.startswith(("> {", "< {"))]
        asked, before, resumed, after = shown[0], shown[1:4], shown[4], shown[5:]
        async with serving() as server:
            async with server.client() as first:
                await first.send({**asked, "message": "A bond wait is a loan"})
                seen = [await first.receive() for _ in before]
            server.script.gate.set()
            async with server.client() as second:
                await second.send({**resumed, "run_id": seen[0]["run_id"]})
                seen += await second.until_end()
        assert [without_chance(frame) for frame in seen] == [
            without_chance(frame) for frame in before + after
        ]


def without_chance(frame: Json) -> Json:
    """Return a frame without what is new each time."""
    return {
        name: value for name, value in frame.items() if name not in ("run_id", "thread_id", "duration_ms")
    }
