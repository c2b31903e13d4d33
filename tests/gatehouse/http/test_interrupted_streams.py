"""What ends a stream whose run goes on: told to its reader, and never a broken connection."""

import re
from collections.abc import AsyncIterator

import pytest
from redis.exceptions import TimeoutError as RedisTimeout

from gatehouse.problems.draining import Restarting
from gatehouse.problems.errors import NotFound
from gatehouse.runs.events import Cursor, Record, Token, record
from gatehouse.wires import sse
from gatehouse.wires.run_api.projection import RETRY, Typed, typed

FIRST = record(Cursor(1, 1), Token("a"))


async def sent(failure: Exception) -> list[bytes]:
    async def records() -> AsyncIterator[list[Record]]:
        yield [FIRST]
        raise failure

    response = sse.event_stream("run-1", records(), Typed("run-1"), send_timeout=30)
    return [frame async for frame in response.frames]


@pytest.mark.parametrize("failure", [RedisTimeout("Timeout reading from redis"), Restarting()])
async def test_a_store_or_a_server_that_goes_away_ends_with_a_hint(failure: Exception) -> None:
    start, token, hint = await sent(failure)
    assert start == RETRY
    assert token == typed(FIRST)
    assert re.fullmatch(rb": read on from the last event\nretry: \d{3,4}\n\n", hint)


async def test_a_run_that_is_gone_is_told_as_an_error() -> None:
    *_, last = await sent(NotFound("The run is not known any more."))
    assert last.startswith(b"event: error\n")
    assert b'"status":404' in last
