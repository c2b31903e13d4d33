"""A run followed over connections that break, repeat, leave out and refuse."""

import asyncio
import json
from contextlib import aclosing

import httpx2
import pytest
from event_servers import RUN, EventServer, frame, problem, start, stream, tokens

from gatehouse.cli.chat import following
from gatehouse.cli.chat.following import (
    Event,
    Lost,
    NotConnected,
    NotGatehouse,
    Reconnecting,
    RequestRefused,
    Run,
)

END = frame("1-4", "end", status="completed")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "FIRST_PAUSE", 0.001)


async def followed(server: EventServer) -> list[Event | Reconnecting]:
    async with server.client() as client, aclosing(Run(client, {"query": "Hi"}).events()) as events:
        return [event async for event in events]


def ids(events: list[Event | Reconnecting]) -> list[str]:
    return [event.id if isinstance(event, Event) else "lost" for event in events]


class TestConnections:
    async def test_one_is_enough_when_nothing_happens(self) -> None:
        server = EventServer([stream("retry: 1000\n\n", start(), tokens("A", " bond"), END)])
        assert ids(await followed(server)) == ["1-1", "1-2", "1-3", "1-4"]
        request = server.requests[0]
        assert (request.method, request.url.path) == ("POST", "/api/chat/stream")
        assert json.loads(request.content) == {"query": "Hi"}

    @pytest.mark.parametrize("whole", [True, False], ids=["closed without an end", "broken off"])
    async def test_a_lost_one_is_joined_after_the_last_event(self, whole: bool) -> None:
        server = EventServer(
            [stream(start(), tokens("A"), whole=whole), stream(tokens(" bond", first=3), END)]
        )
        assert ids(await followed(server)) == ["1-1", "1-2", "lost", "1-3", "1-4"]
        joined = server.requests[1]
        assert (joined.method, joined.url.path) == ("GET", f"/api/runs/{RUN}/stream")
        assert joined.headers["last-event-id"] == "1-2"

    @pytest.mark.parametrize("cut", range(1, len(tokens(" bond", first=3)) - 1))
    async def test_an_event_that_was_cut_in_two_counts_when_it_is_whole(self, cut: int) -> None:
        cut_event = tokens(" bond", first=3)[:cut]
        server = EventServer(
            [stream(start(), tokens("A"), cut_event), stream(tokens(" bond", first=3), END), stream(END)]
        )
        events = await followed(server)
        text = "".join(
            event.content for event in events if isinstance(event, Event) and event.type == "token"
        )
        assert text == "A bond"

    async def test_one_that_brings_no_event_is_read_from_the_start(self) -> None:
        server = EventServer([stream(whole=False), stream(start(), tokens("A", "B"), END)])
        assert ids(await followed(server)) == ["lost", "1-1", "1-2", "1-3", "1-4"]
        assert server.requests[1].headers["last-event-id"] == "-1"

    async def test_a_question_whose_answer_is_lost_is_asked_again_under_the_same_key(self) -> None:
        server = EventServer([httpx2.ReadError("reset"), stream(start(), tokens("A", "B"), END)])
        assert ids(await followed(server))[0] == "lost"
        first, second = server.requests
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
        assert first.content == second.content

    async def test_a_server_that_was_never_there_is_not_waited_for(self) -> None:
        with pytest.raises(NotConnected, match="refused"):
            await followed(EventServer([httpx2.ConnectError("refused")]))

    async def test_a_server_that_is_away_is_waited_for(self) -> None:
        away: list[httpx2.Response | Exception] = [httpx2.ConnectError("refused")]
        away += [problem(503, "not ready", retry_after=0.01)]
        server = EventServer([stream(start()), *away, stream(tokens("A", "B"), END)])
        assert ids(await followed(server)) == ["1-1", "lost", "lost", "lost", "1-2", "1-3", "1-4"]

    async def test_pauses_grow_and_begin_anew_with_the_next_event(self) -> None:
        server = EventServer(
            [stream(start()), *[httpx2.ConnectError("away")] * 3, stream(tokens("A", "B")), stream(END)]
        )
        pauses = [event.seconds for event in await followed(server) if isinstance(event, Reconnecting)]
        assert pauses == pytest.approx([0.001, 0.002, 0.004, 0.008, 0.001], rel=0.21)

    async def test_the_server_says_how_long_to_wait(self) -> None:
        server = EventServer(
            [stream(start()), problem(429, "slow", retry_after=0.05), stream(tokens("A", "B"), END)]
        )
        pauses = [event.seconds for event in await followed(server) if isinstance(event, Reconnecting)]
        assert pauses[1] == 0.05

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
    async def test_a_server_that_is_unwell_is_asked_again_for_a_run_that_goes_on(self, status: int) -> None:
        server = EventServer([stream(start()), problem(status, "not now"), stream(tokens("A", "B"), END)])
        assert ids(await followed(server)) == ["1-1", "lost", "lost", "1-2", "1-3", "1-4"]

    @pytest.mark.parametrize("status", [429, 503])
    async def test_and_not_for_one_that_has_not_begun(self, status: int) -> None:
        server = EventServer([problem(status, "not now"), stream(start(), END)])
        with pytest.raises(RequestRefused, match="not now"):
            await followed(server)
        assert len(server.requests) == 1

    async def test_are_given_up_in_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(following, "GIVE_UP_AFTER", 0.01)
        with pytest.raises(Lost, match="not found again"):
            await followed(EventServer([stream(start()), *[httpx2.ConnectError("away")] * 50]))


class TestEvents:
    async def test_come_once(self) -> None:
        again = stream(start(), tokens("A", "B"), END)
        assert ids(await followed(EventServer([stream(start(), tokens("A")), again]))) == [
            "1-1", "1-2", "lost", "1-3", "1-4",
        ]  # fmt: skip

    async def test_that_are_missing_are_fetched(self) -> None:
        server = EventServer([stream(start(), tokens("B", first=3)), stream(tokens("A", "B"), END)])
        assert ids(await followed(server)) == ["1-1", "lost", "1-2", "1-3", "1-4"]
        assert server.requests[1].headers["last-event-id"] == "1-1"

    async def test_of_the_next_attempt_follow_those_of_the_one_before(self) -> None:
        anew = frame("2-1", "restart", "why", attempt=2) + frame("2-2", "end", status="completed")
        assert ids(await followed(EventServer([stream(start(), tokens("A"), anew)]))) == [
            "1-1", "1-2", "2-1", "2-2",
        ]  # fmt: skip

    async def test_that_are_missing_of_the_next_attempt_are_fetched(self) -> None:
        first, *rest = (frame(f"2-{number}", "token", "x") for number in (1, 2))
        end = frame("2-3", "end", status="completed")
        server = EventServer([stream(start(), *rest), stream(first, *rest, end)])
        assert ids(await followed(server)) == ["1-1", "lost", "2-1", "2-2", "2-3"]

    async def test_may_leave_some_out_where_a_gap_says_so(self) -> None:
        gap = frame("1-40", "gap", "why", text="all of it", requested="1-2", oldest="1-41")
        server = EventServer([stream(start(), tokens("A"), gap, frame("1-41", "end", status="completed"))])
        assert ids(await followed(server)) == ["1-1", "1-2", "1-40", "1-41"]

    async def test_of_the_run_may_be_errors(self) -> None:
        error = frame("1-2", "error", "It failed.", problem={"status": 500}) + frame(
            "1-3", "end", status="failed"
        )
        assert ids(await followed(EventServer([stream(start(), error)]))) == ["1-1", "1-2", "1-3"]

    async def test_without_an_id_are_about_the_reader(self) -> None:
        expired = {"type": "error", "content": "Over.", "problem": {"status": 401, "detail": "Over."}}
        lines = f"event: error\ndata: {json.dumps(expired)}\n\n"
        with pytest.raises(RequestRefused, match="Over") as refused:
            await followed(EventServer([stream(start(), lines)]))
        assert refused.value.problem["status"] == 401


class TestWhatIsNoStream:
    async def test_a_problem(self) -> None:
        with pytest.raises(RequestRefused, match="no such runnable") as refused:
            await followed(EventServer([problem(404, "There is no such runnable.")]))
        assert refused.value.retry_after == 0

    async def test_a_run_that_is_no_longer_known(self) -> None:
        with pytest.raises(RequestRefused, match="no such run"):
            await followed(EventServer([stream(start()), problem(404, "There is no such run.")]))

    async def test_a_run_with_nothing_more_to_tell(self) -> None:
        with pytest.raises(Lost, match="no longer kept"):
            await followed(EventServer([stream(start()), httpx2.Response(204)]))

    @pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": 1}'])
    async def test_an_error_of_something_in_between(self, body: bytes) -> None:
        elsewhere = httpx2.Response(301, content=body, headers={"location": "https://elsewhere.test/"})
        with pytest.raises(RequestRefused, match="answers 301 and leads to https://elsewhere"):
            await followed(EventServer([elsewhere]))

    @pytest.mark.parametrize(
        "answer",
        [
            httpx2.Response(200, html="<p>Welcome to the hotel's network"),
            stream("id: 1-1\ndata: no JSON\n\n"),
            stream('id: 7\ndata: {"type": "start"}\n\n'),
        ],
        ids=["a page", "no JSON", "no ids"],
    )
    async def test_another_service(self, answer: httpx2.Response) -> None:
        with pytest.raises(NotGatehouse):
            await followed(EventServer([answer]))


class TestCancel:
    async def test_is_asked_of_the_run(self) -> None:
        server = EventServer([stream(start()), httpx2.Response(202, json={})])
        async with server.client() as client:
            run = Run(client, {"query": "Hi"})
            await run.cancel()
            assert server.requests == []  # there is nothing to stop yet
            async with aclosing(run.events()) as events:
                await asyncio.wait_for(anext(events), 5)
            await run.cancel()
        assert server.requests[1].url.path == f"/api/runs/{RUN}/cancel"
