"""LangServe's frames as bytes: those that are ready leave together, and an error ends them."""

from collections.abc import AsyncGenerator
from typing import Any, cast

from redis.exceptions import TimeoutError as RedisTimeout

from gatehouse.problems.errors import DeadlineExceeded
from gatehouse.runs.sources.tap import Tap
from gatehouse.wires.langserve.config import Call, Posted
from gatehouse.wires.langserve.streaming import PIECE, encoded


def posted_with(tap: Tap) -> Posted:
    nobody = cast("Any", None)
    return Posted([], None, call=Call(nobody, nobody, None, nobody, 0, nobody, tap))


async def frames_of(tap: Tap, failure: Exception | None = None) -> AsyncGenerator[dict[str, str], None]:
    """Yield a frame for each chunk of the tap, as LangServe does, and its frame of an error before that."""
    tap.end(None)
    async for chunk in tap.chunks():
        yield {"event": "data", "data": chunk}
    if failure:
        yield {"event": "error", "data": "whatever LangServe says"}
        raise failure
    yield {"event": "end"}


def tap_of(*chunks: str) -> Tap:
    tap = Tap("stream")
    for chunk in chunks:
        tap.put(chunk)
    return tap


async def test_that_are_ready_leave_together() -> None:
    tap = tap_of("1", "2", "3")
    sent = [some async for some in encoded(frames_of(tap), posted_with(tap))]
    assert sent == [
        b"event: data\ndata: 1\n\nevent: data\ndata: 2\n\nevent: data\ndata: 3\n\n",
        b"event: end\n\n",
    ]


async def test_that_are_ready_leave_in_pieces_of_bounded_size() -> None:
    tap = tap_of(*("x" * 1000 for _ in range(200)))
    sent = [some async for some in encoded(frames_of(tap), posted_with(tap))]
    assert max(map(len, sent)) < PIECE + 1100
    assert b"".join(sent).count(b"event: data") == 200


async def test_before_an_error_are_not_lost() -> None:
    tap = tap_of("1")
    sent = [some async for some in encoded(frames_of(tap, DeadlineExceeded()), posted_with(tap))]
    assert sent[0] == b"event: data\ndata: 1\n\n"
    assert sent[1].startswith(b'event: error\ndata: {"status_code": 504')
    assert len(sent) == 2


async def test_before_an_error_are_not_lost_where_more_was_ready() -> None:
    async def frames() -> AsyncGenerator[dict[str, str], None]:
        yield {"event": "data", "data": "1"}
        raise DeadlineExceeded

    sent = [some async for some in encoded(frames(), posted_with(tap_of("never encoded")))]
    assert sent[0] == b"event: data\ndata: 1\n\n"
    assert sent[1].startswith(b"event: error")


async def test_whose_rest_cannot_be_serialised_end_with_an_error_that_tells_nothing() -> None:
    tap = tap_of("1")
    sent = [some async for some in encoded(frames_of(tap, TypeError("secret")), posted_with(tap))]
    assert b'"status_code": 500' in sent[-1]
    assert b"secret" not in b"".join(sent)


async def test_of_a_run_whose_store_goes_away_end_with_an_error() -> None:
    tap = tap_of("1")
    sent = [
        some async for some in encoded(frames_of(tap, RedisTimeout("reading from redis")), posted_with(tap))
    ]
    assert sent[-1].startswith(b'event: error\ndata: {"status_code": 503')
