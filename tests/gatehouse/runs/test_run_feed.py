"""The newest records of a run in memory."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from gatehouse.runs.events import BEGINNING, Cursor, End, Record, Token, record
from gatehouse.runs.log.feed import Feed


def a_token(sequence: int, attempt: int = 1) -> Record:
    return record(Cursor(attempt, sequence), Token(f"{sequence}"))


def fed(size: int, count: int) -> Feed:
    feed = Feed(size)
    for sequence in range(1, count + 1):
        feed.append(a_token(sequence))
    return feed


class TestAfter:
    @given(st.integers(1, 8), st.integers(0, 40), st.integers(0, 45))
    def test_returns_everything_after_a_cursor_that_is_not_behind_the_base(
        self, size: int, count: int, at: int
    ) -> None:
        feed = fed(size, count)
        if Cursor(1, at) >= feed.base:
            expected = [Cursor(1, sequence) for sequence in range(at + 1, count + 1)]
            assert [item.cursor for item in feed.after(Cursor(1, at))] == expected

    @given(st.integers(1, 8), st.integers(0, 100))
    def test_keeps_its_size_and_at_most_twice_that(self, size: int, count: int) -> None:
        feed = fed(size, count)
        kept = feed.after(feed.base)
        assert min(size, count) <= len(kept) <= 2 * size

    def test_goes_on_over_attempts(self) -> None:
        feed = fed(10, 3)
        feed.append(a_token(1, attempt=2))
        assert [item.cursor for item in feed.after(Cursor(1, 9))] == [Cursor(2, 1)]
        assert feed.after(Cursor(2, 1)) == []


class TestExtend:
    def test_adds_what_follows(self) -> None:
        feed = fed(10, 3)
        feed.extend([a_token(4), a_token(5)])
        assert feed.base == BEGINNING
        assert [item.cursor.sequence for item in feed.after(BEGINNING)] == [1, 2, 3, 4, 5]

    def test_shows_a_hole_to_those_who_are_before_it(self) -> None:
        feed = fed(10, 3)
        feed.extend([a_token(7), a_token(8)])
        assert feed.base == Cursor(1, 6)
        assert [item.cursor.sequence for item in feed.after(feed.base)] == [7, 8]

    def test_leaves_the_attempt_before_to_the_log(self) -> None:
        feed = fed(10, 3)
        feed.extend([a_token(1, attempt=2), a_token(2, attempt=2)])
        assert feed.base == Cursor(2, 0)
        assert [item.cursor for item in feed.after(feed.base)] == [Cursor(2, 1), Cursor(2, 2)]

    def test_begins_with_an_attempt_whose_beginning_is_lost(self) -> None:
        feed = fed(10, 3)
        feed.extend([a_token(5, attempt=2)])
        assert feed.base == Cursor(2, 4)
        assert feed.top == Cursor(2, 5)


class TestChanged:
    async def test_returns_with_the_next_record(self) -> None:
        feed = Feed(10)
        waiting = [asyncio.create_task(feed.changed()) for _ in range(3)]
        await asyncio.sleep(0)
        feed.append(a_token(1))
        await asyncio.wait_for(asyncio.gather(*waiting), 1)

    async def test_returns_when_the_feed_is_closed(self) -> None:
        feed = Feed(10)
        waiting = asyncio.create_task(feed.changed())
        await asyncio.sleep(0)
        feed.close()
        await asyncio.wait_for(waiting, 1)
        assert feed.closed

    async def test_leaves_nothing_behind_when_it_is_cancelled(self) -> None:
        feed = Feed(10)
        waiting = [asyncio.create_task(feed.changed()) for _ in range(2)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
        assert len(feed._waiting) == 1
        feed.append(a_token(1))
        await asyncio.wait_for(waiting[1], 1)

    async def test_survives_a_cancellation_that_comes_with_a_record(self) -> None:
        feed = Feed(10)
        waiting = asyncio.create_task(feed.changed())
        await asyncio.sleep(0)
        waiting.cancel()
        feed.append(a_token(1))
        await asyncio.gather(waiting, return_exceptions=True)
        assert waiting.cancelled()


class TestEnded:
    def test_is_true_after_the_last_record(self) -> None:
        feed = fed(10, 2)
        assert not feed.ended
        assert feed.top == Cursor(1, 2)
        feed.append(record(Cursor(1, 3), End(status="completed")))
        assert feed.ended

    def test_is_false_of_an_empty_feed(self) -> None:
        feed = Feed(10, Cursor(1, 5))
        assert not feed.ended
        assert feed.top == Cursor(1, 5)
