"""A LangServe stream is a run: it can be joined, it ends with its client, it is let go by a slow one."""

import asyncio
import io
import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
import pytest
from live_app import LiveApp, Remote, Serve, bearer
from probe_runnables import Endless, numbered
from sse_frames import frames_in, frames_of

STREAMS = ("stream", "stream_events", "stream_log")
QUESTION = {"input": {"input": "x"}}


@contextmanager
def begun(client: httpx.Client, path: str, message: str, **headers: str) -> Iterator[str]:
    """Start a stream, read its first frame, yield its run's id, and leave."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    body = {"input": {"input": message}}
    with client.stream("POST", path, json=body, headers=names) as response:
        assert response.status_code == 200
        frames = frames_of(response.iter_lines())  # which leaves when nothing refers to it
        next(frames)
        yield response.headers["x-run-id"]


class TestJoining:
    @pytest.mark.parametrize("endpoint", ["invoke", *STREAMS])
    def test_the_run_of_a_request_can_be_read_by_its_id(self, shared: LiveApp, endpoint: str) -> None:
        with shared.client() as client:
            response = client.post(f"/chat/{endpoint}", json={"input": {"input": "[tokens 3]"}})
            run = client.get(f"/api/runs/{response.headers['x-run-id']}").json()
        assert (run["runnable"], run["state"], run["text"]) == ("chat", "completed", "t1 t2 t3")

    @pytest.mark.parametrize("endpoint", STREAMS)
    def test_a_stream_that_was_left_with_grace_goes_on_and_is_resumed(
        self, shared: LiveApp, endpoint: str
    ) -> None:
        with shared.client() as client:
            path = f"/chat/{endpoint}"
            with begun(client, path, "[delay 0.01][tokens 40]", x_disconnect_grace="5") as run_id:
                pass
            first = frames_in(client.get(f"/api/runs/{run_id}/stream").text)
            rest = frames_in(
                client.get(f"/api/runs/{run_id}/stream", headers={"last-event-id": first[4].id}).text
            )
        tokens = [frame.data["content"] for frame in first if frame.type == "token"]
        assert tokens == numbered(40)
        assert [frame.id for frame in rest] == [frame.id for frame in first[5:]]
        assert first[-1].data["status"] == "completed"

    def test_a_tool_call_of_an_agent_s_stream_is_seen_by_who_joins(self, shared: LiveApp) -> None:
        with shared.client() as client:
            question = {"input": {"input": '[tool calculator {"expression": "2+2"}]'}}
            run_id = client.post("/agent/stream_events", json=question).headers["x-run-id"]
            types = [frame.type for frame in frames_in(client.get(f"/api/runs/{run_id}/stream").text)]
        assert types[:4] == ["start", "agent_action", "tool_start", "tool_end"]
        assert types[-2:] == ["complete", "end"]

    def test_another_user_does_not_find_it(self, shared: LiveApp) -> None:
        with shared.client() as client, shared.client(bearer("bob", "acme")) as bob:
            run_id = client.post("/chat/stream", json={"input": {"input": "x"}}).headers["x-run-id"]
            assert bob.get(f"/api/runs/{run_id}").status_code == 404
            assert bob.get(f"/api/runs/{run_id}/stream").status_code == 404

    @pytest.mark.parametrize("grace", ["soon", "-1", "nan", "inf", "1e999", ""])
    def test_a_grace_that_is_no_number_of_seconds_is_refused(self, shared: LiveApp, grace: str) -> None:
        with shared.client({**bearer(), "x-disconnect-grace": grace}) as client:
            response = client.post("/chat/stream", json=QUESTION)
        assert response.status_code == 400
        assert "x-disconnect-grace" in response.json()["detail"]

    def test_grace_is_bounded_by_the_settings(self, serve: Serve) -> None:
        live = serve("/endless", disconnect_grace_max=0)
        with (
            live.client() as client,
            begun(client, "/endless/stream", "x", x_disconnect_grace="9999") as run_id,
        ):
            assert live.services.runs.local[run_id].run.grace == 0


class TestLeaving:
    @pytest.mark.parametrize("endpoint", STREAMS)
    def test_a_client_that_leaves_ends_its_run_at_once(self, shared: LiveApp, endpoint: str) -> None:
        with shared.client() as client:
            with begun(client, f"/endless/{endpoint}", "x") as run_id:
                assert shared.running(run_id)
            shared.eventually(lambda: not shared.running(run_id), seconds=2)
            assert client.get(f"/api/runs/{run_id}").json()["state"] == "cancelled"

    @pytest.mark.parametrize("endpoint", ["invoke", "batch"])
    def test_a_client_that_does_not_wait_for_the_answer_ends_its_run(
        self, shared: LiveApp, endless: Endless, endpoint: str
    ) -> None:
        before = endless.ended
        body = {"inputs": [{"input": "x"}] * 3} if endpoint == "batch" else QUESTION
        with shared.client() as client, pytest.raises(httpx.ReadTimeout):
            client.post(f"/endless/{endpoint}", json=body, timeout=0.5)
        shared.eventually(lambda: endless.ended == before + (3 if endpoint == "batch" else 1), seconds=3)

    async def test_break_in_a_remote_runnable_s_loop_ends_the_run(
        self, shared: LiveApp, remote: Remote, endless: Endless
    ) -> None:
        before = endless.ended
        stream = remote("/endless").astream({"input": "x"})
        assert await anext(stream) == "tick "
        await stream.aclose()  # type: ignore[attr-defined]  # a generator, declared as an iterator
        await asyncio.to_thread(shared.eventually, lambda: endless.ended > before, 3)

    def test_a_cancelled_run_ends_the_stream_of_its_reader(self, shared: LiveApp) -> None:
        with (
            shared.client() as client,
            client.stream("POST", "/endless/stream", json=QUESTION) as response,
        ):
            frames = frames_of(response.iter_lines())
            next(frames)
            run_id = response.headers["x-run-id"]
            assert client.post(f"/api/runs/{run_id}/cancel").status_code == 202
            assert list(frames)[-1].event == "error"


def silent_reader(live: LiveApp, path: str, body: Mapping[str, object], **headers: str) -> socket.socket:
    """Return a connection that has asked for a stream and reads its head only."""
    content = json.dumps(body).encode()
    fields = {
        "host": "localhost",
        "content-type": "application/json",
        "content-length": str(len(content)),
        **bearer(),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    connection = socket.create_connection(("127.0.0.1", live.port), timeout=10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    connection.sendall(head.encode() + b"\r\n" + content)
    assert connection.recv(64).startswith(b"HTTP/1.1 200")
    return connection


class TestSlowReader:
    @pytest.fixture
    def live(self, serve: Serve) -> LiveApp:
        return serve("/flood", send_timeout=0.5, disconnect_grace=1)

    def test_it_is_cut_and_its_run_ends(self, live: LiveApp, logged: io.StringIO) -> None:
        with silent_reader(live, "/flood/stream", QUESTION):
            live.eventually(lambda: len(live.services.runs.local) == 1)
            live.eventually(lambda: not live.services.runs.local)
            live.eventually(lambda: '"reader cut"' in logged.getvalue())
        assert "Traceback" not in logged.getvalue()
        assert "GeneratorExit" not in logged.getvalue()

    def test_with_grace_its_run_goes_on(self, live: LiveApp, logged: io.StringIO) -> None:
        with silent_reader(live, "/flood/stream", QUESTION, x_disconnect_grace="30"):
            live.eventually(lambda: '"reader cut"' in logged.getvalue())
            (execution,) = live.services.runs.local.values()
            assert execution.viewers == 0
            text = len(execution.text)
            live.eventually(lambda: len(execution.text) > text)

    def test_a_reader_of_typed_events_is_cut_and_the_run_waits_for_its_grace(
        self, live: LiveApp, logged: io.StringIO
    ) -> None:
        with silent_reader(live, "/api/chat/stream", {"query": "x", "runnable": "flood"}):
            live.eventually(lambda: '"reader cut"' in logged.getvalue())
            assert len(live.services.runs.local) == 1
            live.eventually(lambda: not live.services.runs.local)

    def test_the_connection_ends_without_the_end_of_the_stream(
        self, live: LiveApp, logged: io.StringIO
    ) -> None:
        with silent_reader(live, "/flood/stream", QUESTION) as connection:
            live.eventually(lambda: '"reader cut"' in logged.getvalue())
            received = b""
            until = time.monotonic() + 10
            while (part := connection.recv(65_536)) and time.monotonic() < until:
                received += part
        assert part == b""  # closed
        assert not received.endswith(b"0\r\n\r\n")  # the last chunk of a response that is whole
        assert b"event: end" not in received
