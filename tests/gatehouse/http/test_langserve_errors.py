"""What a client gets to see when a runnable fails: that it failed, and nothing of why."""

import io
import json

import httpx
import pytest
from live_app import LiveApp, Remote, Serve
from probe_runnables import SECRET, numbered
from sse_frames import frames_in

FAILURES = {
    "the runnable raises": ("/failing", "x"),
    "the runnable raises an HTTPException": ("/teapot", "x"),
    "a tool raises": ("/bare", "[tool leak {}]"),
    "a tool raises an HTTPException": ("/bare", "[tool brew_coffee {}]"),
    "the model raises": ("/chat", f"[fail {SECRET}]"),
    "the agent's model raises": ("/agent", f"[fail {SECRET}]"),
    "the output is no JSON": ("/odd", "x"),
}
STREAMS = ("stream", "stream_events", "stream_log")
SAID = "The run failed. The server's log has the cause."
GENERIC = {"status_code": 500, "message": "Internal Server Error", "detail": SAID}
NO_JSON = "The runnable returned what cannot be sent: a value of the type object has no form in JSON."


@pytest.fixture(params=FAILURES)
def failure(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A path, and the message that makes its runnable fail."""
    return FAILURES[request.param]


def without_question(text: str, question: str) -> str:
    """Return a response without the repeated input, which the caller itself has sent."""
    return text.replace(json.dumps(question)[1:-1], "")


class TestWholeAnswers:
    @pytest.mark.parametrize("endpoint", ["invoke", "batch"])
    def test_a_failure_is_a_generic_problem(
        self, shared: LiveApp, failure: tuple[str, str], endpoint: str, logged: io.StringIO
    ) -> None:
        path, message = failure
        body = {"inputs": [{"input": message}] * 2} if endpoint == "batch" else {"input": {"input": message}}
        with shared.client() as client:
            response = client.post(f"{path}/{endpoint}", json=body)
        assert response.status_code == 500
        assert response.headers["content-type"] == "application/problem+json"
        kind = "output-not-json" if path == "/odd" else "run-failed"
        assert response.json()["type"] == f"urn:gatehouse:problem:{kind}"
        assert SECRET not in response.text
        shared.eventually(lambda: response.headers["x-request-id"] in logged.getvalue())
        assert SECRET not in logged.getvalue()

    def test_other_items_do_not_change_what_a_failing_batch_answers(self, shared: LiveApp) -> None:
        with shared.client() as client:
            inputs = [{"input": "[say fine]"}, {"input": "[fail]"}]
            assert client.post("/chat/batch", json={"inputs": inputs}).status_code == 500


class TestStreams:
    @pytest.mark.parametrize("endpoint", STREAMS)
    def test_a_failure_is_an_error_frame_and_a_clean_end(
        self, shared: LiveApp, failure: tuple[str, str], endpoint: str, logged: io.StringIO
    ) -> None:
        path, message = failure
        with shared.client() as client:
            # httpx raises RemoteProtocolError when the connection is reset before the last chunk
            response = client.post(f"{path}/{endpoint}", json={"input": {"input": message}})
        assert response.status_code == 200
        frames = frames_in(response.text)
        assert frames[-1].event == "error"
        assert frames[-1].data == ({"status_code": 500, "message": NO_JSON} if path == "/odd" else GENERIC)
        assert [frame.event for frame in frames].count("error") == 1
        assert SECRET not in without_question(response.text, message)
        assert SECRET not in logged.getvalue()
        assert "ignored GeneratorExit" not in logged.getvalue()

    def test_what_came_before_is_kept(self, shared: LiveApp) -> None:
        with shared.client() as client:
            response = client.post("/chat/stream", json={"input": {"input": "[tokens 9][fail after 3]"}})
        frames = frames_in(response.text)
        assert [frame.data for frame in frames if frame.event == "data"] == numbered(3)
        assert frames[-1].event == "error"

    async def test_a_remote_runnable_raises_the_status_and_the_message(self, remote: Remote) -> None:
        with pytest.raises(httpx.HTTPStatusError, match="Internal Server Error") as raised:
            async for _ in remote("/teapot").astream({"input": "x"}):
                pass
        assert raised.value.response.status_code == 500

    def test_the_run_s_own_error_event_says_no_more(self, shared: LiveApp) -> None:
        with shared.client() as client:
            run_id = client.post("/failing/stream", json={"input": {"input": "x"}}).headers["x-run-id"]
            text = client.get(f"/api/runs/{run_id}/stream").text
        assert [frame.type for frame in frames_in(text)] == ["start", "error", "end"]
        assert SECRET not in text


class TestAgentThatContainsItsTools:
    """The agent of the registry goes on without a tool that failed; a bare graph fails."""

    @pytest.mark.parametrize("tool", ["leak", "brew_coffee"])
    @pytest.mark.parametrize("endpoint", ["invoke", "batch", *STREAMS])
    def test_it_goes_on_and_the_secret_stays_here(
        self, shared: LiveApp, endpoint: str, tool: str, logged: io.StringIO
    ) -> None:
        question = {"input": f"[tool {tool} {{}}]"}
        body = {"inputs": [question]} if endpoint == "batch" else {"input": question}
        with shared.client() as client:
            response = client.post(f"/contained/{endpoint}", json=body)
        assert response.status_code == 200
        assert "event: error" not in response.text
        assert "failed" in response.text
        assert SECRET not in response.text + logged.getvalue()

    def test_its_event_says_no_more_than_that_it_failed(self, shared: LiveApp) -> None:
        with shared.client() as client:
            response = client.post("/contained/stream_events", json={"input": {"input": "[tool leak {}]"}})
        events = [frame.data for frame in frames_in(response.text) if frame.event == "data"]
        errors = [event["data"]["error"] for event in events if event["event"] == "on_tool_error"]
        assert errors == [SAID]

    def test_what_a_tool_itself_says_is_told(self, shared: LiveApp) -> None:
        with shared.client() as client:
            question = '[tool calculator {"expression": "1/0"}]'
            response = client.post("/agent/invoke", json={"input": {"input": question}})
        assert response.status_code == 200
        assert "zero" in response.json()["output"]["content"]


class TestDeadline:
    @pytest.mark.parametrize("endpoint", ["invoke", "batch"])
    def test_a_run_that_takes_too_long_is_a_504(self, serve: Serve, endpoint: str) -> None:
        with serve("/endless", run_deadline=0.3).client() as client:
            body = {"inputs": [{"input": "x"}]} if endpoint == "batch" else {"input": {"input": "x"}}
            response = client.post(f"/endless/{endpoint}", json=body)
        assert response.status_code == 504
        assert response.json()["type"] == "urn:gatehouse:problem:deadline-exceeded"

    @pytest.mark.parametrize("endpoint", STREAMS)
    def test_a_stream_that_takes_too_long_ends_with_its_error_frame(
        self, serve: Serve, endpoint: str
    ) -> None:
        with serve("/endless", run_deadline=0.3).client() as client:
            frames = frames_in(client.post(f"/endless/{endpoint}", json={"input": {"input": "x"}}).text)
        assert frames[-1].event == "error"
        assert frames[-1].data == {"status_code": 504, "message": "The run took longer than it may."}
        assert len(frames) > 5
