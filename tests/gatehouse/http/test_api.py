"""The run API: start a run, read it as JSON or events, join it again, stop it."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import redis.exceptions
import sqlalchemy.exc
from live_app import LiveApp, Serve, bearer
from probe_runnables import SECRET, numbered
from sse_frames import Frame, frames_in, frames_of

from gatehouse.runs.events import Cursor, Record
from gatehouse.runs.records import load
from gatehouse.threads.store import ThreadStore
from gatehouse.wires.run_api.projection import plain

STARTS = ("/api/chat", "/api/chat/stream", "/api/stream")
STREAMS = ("/api/chat/stream", "/api/stream")
UNKNOWN = "01a1fc96-0000-7000-8000-000000000000"


@pytest.fixture
def client(shared: LiveApp) -> Iterator[httpx.Client]:
    with shared.client() as client:
        yield client


@pytest.fixture
def bob(shared: LiveApp) -> Iterator[httpx.Client]:
    """Another user of the same tenant."""
    with shared.client(bearer("bob", "acme")) as client:
        yield client


def asked(client: httpx.Client, query: str, **fields: Any) -> list[Frame]:
    """Return the typed events of an answer."""
    response = client.post("/api/chat/stream", json={"query": query, **fields})
    assert response.status_code == 200, response.text
    return frames_in(response.text)


def is_problem(response: httpx.Response, status: int, kind: str) -> bool:
    return (
        response.status_code == status
        and response.headers["content-type"] == "application/problem+json"
        and response.json()["type"] == f"urn:gatehouse:problem:{kind}"
        and response.json()["instance"] == f"urn:gatehouse:request:{response.headers['x-request-id']}"
    )


class TestChat:
    def test_answers_in_one_piece(self, client: httpx.Client) -> None:
        answer = client.post("/api/chat", json={"query": "[say Bonds are loans.]"}).json()
        assert answer["response"] == "Bonds are loans."
        assert answer["usage"]["output_tokens"] == 3
        thread = client.get(f"/api/threads/{answer['thread_id']}/messages").json()["items"]
        assert [message["content"] for message in thread] == ["[say Bonds are loans.]", "Bonds are loans."]
        assert client.get(f"/api/runs/{answer['run_id']}").json()["state"] == "completed"

    def test_a_runnable_can_be_chosen(self, client: httpx.Client) -> None:
        query = '[tool calculator {"expression": "2+2"}]'
        assert "4" in client.post("/api/chat", json={"query": query, "runnable": "agent"}).json()["response"]

    def test_structured_output_is_its_json(self, client: httpx.Client) -> None:
        answer = client.post("/api/chat", json={"query": "Rates rose.", "runnable": "summarize"}).json()
        assert set(json.loads(answer["response"])) == {"title", "summary", "key_points"}

    def test_goes_on_with_the_thread_s_own_runnable(self, client: httpx.Client) -> None:
        first = client.post("/api/chat", json={"query": "[say One.]", "runnable": "agent"}).json()
        second = client.post(
            "/api/chat", json={"query": "[say Two.]", "thread_id": first["thread_id"]}
        ).json()
        assert client.get(f"/api/runs/{second['run_id']}").json()["runnable"] == "agent"

    def test_the_thread_s_history_is_told_to_the_model(self, client: httpx.Client) -> None:
        first = client.post("/api/chat", json={"query": "[say one]"}).json()
        second = client.post("/api/chat", json={"query": "x", "thread_id": first["thread_id"]}).json()
        alone = client.post("/api/chat", json={"query": "x"}).json()
        assert second["thread_id"] == first["thread_id"]
        told_before = ["[say", "one]", "one"]  # a word is a token to the scripted model
        assert second["usage"]["input_tokens"] == alone["usage"]["input_tokens"] + len(told_before)

    def test_a_failure_is_a_problem_that_says_nothing_of_why(self, client: httpx.Client) -> None:
        response = client.post("/api/chat", json={"query": f"[fail {SECRET}]"})
        assert is_problem(response, 500, "run-failed")
        assert SECRET not in response.text

    def test_a_run_that_takes_too_long_is_a_504(self, serve: Serve) -> None:
        with serve("/endless", run_deadline=0.3).client() as client:
            assert is_problem(client.post("/api/chat", json={"query": "x"}), 504, "deadline-exceeded")

    def test_a_run_that_was_stopped_is_a_409_with_its_id(self, shared: LiveApp, client: httpx.Client) -> None:
        body, key = {"query": "x", "runnable": "endless"}, {"idempotency-key": "stopped"}
        with client.stream("POST", "/api/chat/stream", json=body, headers=key) as stream:
            run_id = stream.headers["x-run-id"]
            with shared.client() as other:
                other.post(f"/api/runs/{run_id}/cancel")
            stream.read()
        response = client.post("/api/chat", json=body, headers=key)
        assert is_problem(response, 409, "conflict")
        assert response.json()["run_id"] == run_id


class TestTypedEvents:
    def test_are_dense_and_end_with_the_whole_answer(self, client: httpx.Client) -> None:
        frames = asked(client, "[tokens 30]")
        assert [frame.type for frame in frames] == ["start", *["token"] * 30, "complete", "end"]
        assert [frame.id for frame in frames] == [f"1-{number}" for number in range(1, 34)]
        assert all(frame.event == frame.type for frame in frames)
        text = "".join(frame.data["content"] for frame in frames if frame.type == "token")
        assert frames[-2].data["content"] == text == "".join(numbered(30))
        assert frames[-2].data["usage"]["output_tokens"] == 30
        assert frames[-1].data == {"type": "end", "content": "", "status": "completed"}

    def test_start_says_which_run_it_is(self, client: httpx.Client) -> None:
        response = client.post("/api/chat/stream", json={"query": "x"})
        start = frames_in(response.text)[0].data
        assert start["run_id"] == response.headers["x-run-id"]
        assert (start["runnable"], start["attempt"]) == ("agent", 1)
        assert client.get(f"/api/threads/{start['thread_id']}").status_code == 200

    def test_tell_of_tools(self, client: httpx.Client) -> None:
        frames = asked(client, '[tool calculator {"expression": "2+2"}]', runnable="agent")
        action, start, end = (frame.data for frame in frames[1:4])
        assert action["content"] == "Action: calculator"
        assert start["content"] == "Using tool: calculator"
        assert start["input"] == {"expression": "2+2"}
        assert end["content"].startswith("Tool result: ")
        assert "4" in end["output"]
        assert end["is_error"] is False
        assert action["call_id"] == start["call_id"] == end["call_id"]

    def test_a_failure_is_an_error_with_its_problem(self, client: httpx.Client) -> None:
        frames = asked(client, "[tokens 5][fail after 2]")
        assert [frame.type for frame in frames] == ["start", "token", "token", "error", "end"]
        assert frames[-2].data["problem"]["status"] == 500
        assert frames[-1].data["status"] == "failed"

    def test_a_browser_is_told_when_to_reconnect_and_that_nothing_may_buffer(
        self, client: httpx.Client
    ) -> None:
        response = client.post("/api/chat/stream", json={"query": "x"})
        assert response.text.startswith("retry: 1000\n")
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-accel-buffering"] == "no"

    def test_a_token_arrives_before_the_next_is_made(self, client: httpx.Client) -> None:
        body = {"query": "[delay 0.2][tokens 3]"}
        with client.stream("POST", "/api/chat/stream", json=body) as response:
            times = [time.monotonic() for frame in frames_of(response.iter_lines()) if frame.type == "token"]
        assert times[2] - times[0] > 0.3


class TestPlainTokens:
    def test_are_tokens_until_done(self, client: httpx.Client) -> None:
        frames = frames_in(client.post("/api/stream", json={"query": "[tokens 3]"}).text)
        assert [frame.data for frame in frames] == [
            *({"token": token} for token in numbered(3)),
            {"done": True, "status": "completed"},
        ]
        assert all(frame.event == "" for frame in frames)

    def test_a_failure_is_told(self, client: httpx.Client) -> None:
        frames = frames_in(client.post("/api/stream", json={"query": f"[fail {SECRET}]"}).text)
        assert frames[0].data["error"]["problem"]["status"] == 500
        assert frames[-1].data == {"done": True, "status": "failed"}
        assert SECRET not in str(frames)

    @pytest.mark.parametrize("kind", ["restart", "gap"])
    def test_what_makes_the_text_void_is_told(self, kind: str) -> None:
        record = Record(Cursor(2, 1), kind, b'{"content":"why","type":"%s"}' % kind.encode())
        assert plain(record) == b'id: 2-1\ndata: {"%s":{"content":"why","type":"%s"}}\n\n' % (
            kind.encode(),
            kind.encode(),
        )


class TestBadRequests:
    @pytest.mark.parametrize("path", STARTS)
    @pytest.mark.parametrize(
        ("case", "body"),
        [
            ("no query", {}),
            ("an empty query", {"query": ""}),
            ("a query that is too long", {"query": "x" * 100_001}),
            ("a query of another type", {"query": 5}),
            ("a thread of another type", {"query": "x", "thread_id": 5}),
            ("a thread that is too long", {"query": "x", "thread_id": "x" * 201}),
            ("an unknown field", {"query": "x", "user_id": "mallory"}),
            ("an unknown way of multitasking", {"query": "x", "multitask": "x"}),
            ("a list", [1]),
            ("what the runnable does not take", {"query": "x" * 20_001, "runnable": "summarize"}),
        ],
    )
    def test_a_body_that_is_not_taken_is_a_422(
        self, client: httpx.Client, path: str, case: str, body: Any
    ) -> None:
        response = client.post(path, json=body)
        assert is_problem(response, 422, "invalid-input")
        assert response.json()["errors"]

    @pytest.mark.parametrize(
        "body",
        [
            rb'{"query": "\ud800"}',
            rb'{"query": "x", "thread_id": "\ud800"}',
            rb'{"query": "x", "runnable": "\udfff"}',
            rb'{"query": "x", "\udfff": "\udfff"}',
            b'{"query": "\xff\xfe"}',
            b'{"query": NaN}',
            b'{"query": 1e400}',
            b'{"query": ' + b"9" * 5000 + b"}",
            b'{"query": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            b"",
            b"{",
        ],
        ids=lambda body: str(body[:40]),
    )
    @pytest.mark.parametrize("path", STARTS)
    def test_what_is_no_json_or_no_text_is_refused(
        self, client: httpx.Client, path: str, body: bytes
    ) -> None:
        response = client.post(path, content=body, headers={"content-type": "application/json"})
        deep = body.count(b"[") > 1000 or body.count(b"9") > 4000  # no parser takes such a number
        assert response.status_code == (400 if deep or b"\xff" in body else 422)
        assert response.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize("path", STARTS)
    @pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", ""])
    def test_another_media_type_is_a_415(self, client: httpx.Client, path: str, media_type: str) -> None:
        response = client.post(path, content=b'{"query": "x"}', headers={"content-type": media_type})
        assert is_problem(response, 415, "unsupported-media-type")

    @pytest.mark.parametrize("path", STARTS)
    def test_an_unknown_runnable_is_a_404(self, client: httpx.Client, path: str) -> None:
        assert is_problem(client.post(path, json={"query": "x", "runnable": "nothing"}), 404, "not-found")

    @pytest.mark.parametrize("path", STARTS)
    @pytest.mark.parametrize("thread_id", [UNKNOWN, "x", "\u0000", "é' OR 1=1 --"])
    def test_an_unknown_thread_is_a_404(self, client: httpx.Client, path: str, thread_id: str) -> None:
        assert is_problem(client.post(path, json={"query": "x", "thread_id": thread_id}), 404, "not-found")

    @pytest.mark.parametrize("path", STARTS)
    def test_another_s_thread_is_a_404(self, client: httpx.Client, bob: httpx.Client, path: str) -> None:
        thread_id = bob.post("/api/chat", json={"query": "x"}).json()["thread_id"]
        assert is_problem(client.post(path, json={"query": "x", "thread_id": thread_id}), 404, "not-found")
        assert len(bob.get(f"/api/threads/{thread_id}/messages").json()["items"]) == 2

    @pytest.mark.parametrize("path", STARTS)
    def test_a_runnable_wants_its_scope(self, shared: LiveApp, path: str) -> None:
        with shared.client(bearer(scopes=["runnable:chat"])) as client:
            response = client.post(path, json={"query": "x", "runnable": "agent"})
        assert is_problem(response, 403, "insufficient-scope")
        assert response.json()["scope"] == "runnable:agent"


class TestRunState:
    def test_tells_how_far_a_run_is(self, shared: LiveApp, client: httpx.Client) -> None:
        body = {"query": "x", "runnable": "endless"}
        with shared.client() as other, other.stream("POST", "/api/chat/stream", json=body) as stream:
            frames = frames_of(stream.iter_lines())
            seen = [next(frames) for _ in range(4)]
            run = client.get(f"/api/runs/{stream.headers['x-run-id']}").json()
            client.post(f"/api/runs/{run['run_id']}/cancel")
        assert (run["state"], run["runnable"], run["attempt"]) == ("running", "endless", 1)
        assert run["text"].startswith("tick tick tick ")
        assert int(run["last_event_id"].partition("-")[2]) >= len(seen)

    def test_of_a_failed_run_has_its_problem(self, client: httpx.Client) -> None:
        run_id = asked(client, "[tokens 5][fail after 2]")[0].data["run_id"]
        run = client.get(f"/api/runs/{run_id}").json()
        assert (run["state"], run["text"]) == ("failed", "t1 t2")
        assert run["problem"]["type"] == "urn:gatehouse:problem:run-failed"
        assert run["last_event_id"] == "1-5"

    @pytest.mark.parametrize("route", ["", "/stream", "/cancel"])
    def test_another_s_run_is_a_404_like_one_that_never_was(
        self, shared: LiveApp, client: httpx.Client, bob: httpx.Client, route: str
    ) -> None:
        body = {"query": "x", "runnable": "endless"}
        method = "POST" if route == "/cancel" else "GET"
        with bob.stream("POST", "/api/chat/stream", json=body) as stream:
            run_id = stream.headers["x-run-id"]
            foreign = client.request(method, f"/api/runs/{run_id}{route}")
            unknown = client.request(method, f"/api/runs/{UNKNOWN}{route}")
            stored = shared.run(load(shared.services.redis, run_id))
            assert stored is not None
            assert stored.cancel == ""  # a 404 that stops it all the same would be worse than a 200
            assert shared.services.runs.local[run_id].stop is None
        for response in (foreign, unknown):
            assert is_problem(response, 404, "not-found")
        assert foreign.json()["detail"] == unknown.json()["detail"]

    def test_the_same_user_name_of_another_tenant_is_another_user(
        self, shared: LiveApp, client: httpx.Client
    ) -> None:
        run_id = asked(client, "x")[0].data["run_id"]
        with shared.client(bearer("alice", "beta")) as other:
            assert other.get(f"/api/runs/{run_id}").status_code == 404

    @pytest.mark.parametrize("run_id", ["x", "%00", "%ED%A0%80", "a" * 5000, "..%2f..", "*"])
    def test_an_id_that_is_none_is_a_404(self, client: httpx.Client, run_id: str) -> None:
        assert client.get(f"/api/runs/{run_id}").status_code == 404


class TestJoin:
    def test_a_finished_run_is_replayed_from_the_start(self, client: httpx.Client) -> None:
        frames = asked(client, "[tokens 5]")
        path = f"/api/runs/{frames[0].data['run_id']}/stream"
        assert frames_in(client.get(path).text) == frames
        assert frames_in(client.get(path, headers={"last-event-id": "-1"}).text) == frames
        assert frames_in(client.get(f"{path}?last_event_id=-1").text) == frames

    def test_after_any_event_it_sends_exactly_the_rest(self, client: httpx.Client) -> None:
        frames = asked(client, "[tokens 5]")
        path = f"/api/runs/{frames[0].data['run_id']}/stream"
        for seen, frame in enumerate(frames[:-1], 1):
            assert frames_in(client.get(path, headers={"last-event-id": frame.id}).text) == frames[seen:]
            assert frames_in(client.get(f"{path}?last_event_id={frame.id}").text) == frames[seen:]

    def test_the_header_counts_before_the_query(self, client: httpx.Client) -> None:
        """A browser that reconnects sends the header to an address that stays as it was."""
        frames = asked(client, "[tokens 5]")
        path = f"/api/runs/{frames[0].data['run_id']}/stream?last_event_id=1-1"
        assert frames_in(client.get(path, headers={"last-event-id": "1-4"}).text) == frames[4:]

    @pytest.mark.parametrize("query", ["[tokens 2]", "[fail]"])
    def test_after_the_last_event_there_is_no_content(self, client: httpx.Client, query: str) -> None:
        frames = asked(client, query)
        path = f"/api/runs/{frames[0].data['run_id']}/stream"
        for cursor in (frames[-1].id, "1-9999", "2-1"):
            response = client.get(path, headers={"last-event-id": cursor})
            assert (response.status_code, response.content) == (204, b"")

    def test_a_run_that_goes_on_is_followed(self, shared: LiveApp, client: httpx.Client) -> None:
        body = {"query": "[delay 0.01][tokens 40]"}
        with shared.client() as other, other.stream("POST", "/api/chat/stream", json=body) as stream:
            first = frames_of(stream.iter_lines())
            seen = [next(first) for _ in range(5)]
            path = f"/api/runs/{stream.headers['x-run-id']}/stream"
        rest = frames_in(client.get(path, headers={"last-event-id": seen[-1].id}).text)
        assert [frame.id for frame in [*seen, *rest]] == [f"1-{number}" for number in range(1, 44)]
        assert rest[-1].data["status"] == "completed"

    @pytest.mark.parametrize(
        "cursor", ["x", "1", "1-", "-2", "1-2-3", "1-x", "9" * 40 + "-1", "1 -1", "\u0661-\u0661"]
    )
    def test_a_malformed_cursor_is_a_400(self, client: httpx.Client, cursor: str) -> None:
        frames = asked(client, "x")
        path = f"/api/runs/{frames[0].data['run_id']}/stream"
        assert is_problem(client.get(path, params={"last_event_id": cursor}), 400, "bad-request")
        if cursor.isascii():
            response = client.get(path, headers={"last-event-id": cursor})
            assert is_problem(response, 400, "bad-request")


class TestCancel:
    def test_keeps_what_came_and_tells_the_viewer(self, shared: LiveApp, client: httpx.Client) -> None:
        body = {"query": "x", "runnable": "endless"}
        with shared.client() as other, other.stream("POST", "/api/chat/stream", json=body) as stream:
            frames = frames_of(stream.iter_lines())
            start = next(frames)
            next(frames)
            began = time.monotonic()
            response = client.post(f"/api/runs/{start.data['run_id']}/cancel")
            last = list(frames)[-1]
        assert time.monotonic() - began < 1
        assert response.status_code == 202
        assert last.data == {"type": "end", "content": "", "status": "cancelled"}
        run = client.get(f"/api/runs/{start.data['run_id']}").json()
        assert (run["state"], run["text"][:5]) == ("cancelled", "tick ")
        messages = client.get(f"/api/threads/{start.data['thread_id']}/messages").json()["items"]
        assert messages[-1]["status"] == "partial"

    def test_of_a_run_that_has_ended_changes_nothing(self, client: httpx.Client) -> None:
        frames = asked(client, "[say done]")
        response = client.post(f"/api/runs/{frames[0].data['run_id']}/cancel")
        assert response.status_code == 202
        assert (response.json()["state"], response.json()["text"]) == ("completed", "done")


class TestLeaving:
    @pytest.mark.parametrize("path", STREAMS)
    def test_a_viewer_that_leaves_does_not_end_the_run_at_once(self, serve: Serve, path: str) -> None:
        live = serve("/endless", disconnect_grace=0.6)
        with live.client() as client:
            with client.stream("POST", path, json={"query": "x"}) as stream:
                run_id = stream.headers["x-run-id"]
                next(frames_of(stream.iter_lines()))
            left = time.monotonic()
            live.eventually(lambda: not live.requests)
            assert live.running(run_id)
            live.eventually(lambda: not live.running(run_id))
            assert time.monotonic() - left > 0.5
            assert client.get(f"/api/runs/{run_id}").json()["state"] == "cancelled"


class TestIdempotency:
    @pytest.mark.parametrize("path", STARTS)
    def test_the_same_key_and_body_joins_the_first_run(self, client: httpx.Client, path: str) -> None:
        key = {"idempotency-key": f"joins {path}"}
        first = client.post("/api/chat", json={"query": "[say hello]"}, headers=key).json()
        second = client.post(path, json={"query": "[say hello]"}, headers=key)
        assert (second.headers.get("x-run-id") or second.json()["run_id"]) == first["run_id"]
        assert "hello" in second.text
        messages = client.get(f"/api/threads/{first['thread_id']}/messages").json()["items"]
        assert len(messages) == 2

    def test_a_key_at_the_same_time_makes_one_run(self, shared: LiveApp) -> None:
        key = {**bearer(), "idempotency-key": "at the same time"}

        async def both() -> set[str]:
            async with shared.aclient(key) as client:
                body = {"query": "[delay 0.01][tokens 20]"}
                answers = await asyncio.gather(*(client.post("/api/chat", json=body) for _ in range(5)))
            return {answer.json()["run_id"] for answer in answers}

        assert len(shared.run(both())) == 1

    def test_the_same_key_with_another_body_is_a_422(self, client: httpx.Client) -> None:
        key = {"idempotency-key": "another body"}
        client.post("/api/chat", json={"query": "one"}, headers=key)
        response = client.post("/api/chat", json={"query": "two"}, headers=key)
        assert is_problem(response, 422, "invalid-input")

    def test_another_user_s_key_is_another_key(self, client: httpx.Client, bob: httpx.Client) -> None:
        key = {"idempotency-key": "whose"}
        mine = client.post("/api/chat", json={"query": "one"}, headers=key).json()
        theirs = bob.post("/api/chat", json={"query": "two"}, headers=key)
        assert theirs.status_code == 200
        assert theirs.json()["run_id"] != mine["run_id"]

    def test_a_key_whose_run_could_not_start_is_free_again(self, client: httpx.Client) -> None:
        key = {"idempotency-key": "free again"}
        body = {"query": "x", "thread_id": UNKNOWN}
        assert client.post("/api/chat", json=body, headers=key).status_code == 404
        assert client.post("/api/chat", json={"query": "x"}, headers=key).status_code == 200

    def test_a_key_that_is_too_long_is_a_422(self, client: httpx.Client) -> None:
        response = client.post("/api/chat", json={"query": "x"}, headers={"idempotency-key": "k" * 201})
        assert is_problem(response, 422, "invalid-input")


class TestStoreThatIsAway:
    @pytest.mark.parametrize(
        "error",
        [
            sqlalchemy.exc.TimeoutError("nobody gave a connection back"),
            sqlalchemy.exc.OperationalError("INSERT", {}, Exception("secret.example refused")),
            redis.exceptions.ConnectionError("secret.example refused"),
        ],
        ids=["pool", "database", "Redis"],
    )
    @pytest.mark.parametrize("path", STARTS)
    def test_is_a_503_with_when_to_try_again(
        self, client: httpx.Client, monkeypatch: pytest.MonkeyPatch, path: str, error: Exception
    ) -> None:
        async def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(ThreadStore, "open", fail)
        monkeypatch.setattr(ThreadStore, "open_late", fail)
        response = client.post(path, json={"query": "x"})
        assert is_problem(response, 503, "unavailable")
        assert response.headers["retry-after"] == "5"
        assert "secret" not in response.text


class TestMultitask:
    @pytest.fixture
    def busy(self, shared: LiveApp) -> Iterator[str]:
        """A thread that has a run."""
        body = {"query": "x", "runnable": "endless"}
        with shared.client() as other, other.stream("POST", "/api/chat/stream", json=body) as stream:
            start = next(frames_of(stream.iter_lines()))
            yield start.data["thread_id"]
            with shared.client() as third:
                third.post(f"/api/runs/{start.data['run_id']}/cancel")

    @pytest.mark.parametrize("path", STARTS)
    def test_a_second_run_is_a_409_with_the_first_one_s_id(
        self, client: httpx.Client, busy: str, path: str
    ) -> None:
        response = client.post(path, json={"query": "x", "thread_id": busy})
        assert is_problem(response, 409, "conflict")
        assert client.get(f"/api/runs/{response.json()['run_id']}").json()["state"] == "running"

    def test_interrupt_replaces_it(self, client: httpx.Client, busy: str) -> None:
        body = {"query": "[say second]", "thread_id": busy, "runnable": "chat", "multitask": "interrupt"}
        assert client.post("/api/chat", json=body).json()["response"] == "second"

    def test_a_langserve_call_in_the_thread_is_a_409_too(self, client: httpx.Client, busy: str) -> None:
        body = {"input": {"input": "x"}, "config": {"configurable": {"thread_id": busy}}}
        assert is_problem(client.post("/chat/invoke", json=body), 409, "conflict")
