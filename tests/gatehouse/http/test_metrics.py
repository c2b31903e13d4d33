"""Metrics of a real server, as they are scraped."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from live_app import LiveApp, bearer
from live_server import free_port
from metric_names import METRICS
from scraped import samples, value
from sse_frames import frames_in
from websockets.sync.client import connect

# What nothing here makes happen; they are counted in tests of their own
ELSEWHERE = {
    "gatehouse_answer_cache_total",
    "gatehouse_restarts_total",
    "gatehouse_model_errors_total",
    "gatehouse_model_circuit_open",
    "gatehouse_approvals_open",
    "gatehouse_approvals_total",
    "gatehouse_effects_total",
    "gatehouse_tools_repeated_total",
}
EXPECTED = {
    **{name: labels for name, labels in METRICS.items() if name not in ELSEWHERE},
    "process_resident_memory_bytes": set(),
    "python_info": {"version", "implementation", "major", "minor", "patchlevel"},
}
PLANS = {"default": {"requests_per_minute": 6000, "burst": 500, "concurrent_runs": 1}}


@pytest.fixture
def watched(serve: Any) -> LiveApp:
    live: LiveApp = serve(
        "/chat",
        "/agent",
        "/endless",
        "/failing",
        management_port=free_port(),
        disconnect_grace=0,
        plans=PLANS,
    )
    return live


@pytest.fixture
def port(watched: LiveApp) -> str:
    return f"http://127.0.0.1:{watched.settings.management_port}"


@pytest.fixture
def client(watched: LiveApp) -> Iterator[httpx.Client]:
    with watched.client() as client:
        yield client


class TestRuns:
    def test_are_counted_by_runnable_model_and_how_they_ended(
        self, watched: LiveApp, client: httpx.Client, port: str
    ) -> None:
        assert client.post("/api/chat", json={"query": "[tokens 50]", "runnable": "chat"}).status_code == 200
        assert client.post("/failing/invoke", json={"input": {"input": "x"}}).status_code == 500
        chat = {"runnable": "/chat", "model": "scripted"}
        assert value(port, "gatehouse_runs_started_total", **chat) == 1
        assert value(port, "gatehouse_runs_finished_total", **chat, status="completed") == 1
        assert value(port, "gatehouse_runs_finished_total", runnable="/failing", status="failed") == 1
        assert value(port, "gatehouse_tokens_total", **chat, direction="output") == 50
        assert value(port, "gatehouse_tokens_total", **chat, direction="input") > 0
        for histogram in ("time_to_first_token_seconds", "tokens_per_second"):
            assert value(port, f"gatehouse_{histogram}_count", **chat) == 1
        assert value(port, "gatehouse_run_duration_seconds_count", runnable="/chat") == 1
        assert value(port, "gatehouse_time_to_first_token_seconds_count", runnable="/failing") == 0

    def test_that_go_on_and_their_viewers_are_gauges(self, watched: LiveApp, port: str) -> None:
        def going_on() -> tuple[float, float]:
            running = value(port, "gatehouse_runs_running", runnable="/endless")
            return running, value(port, "gatehouse_viewers")

        with (
            watched.client() as client,
            client.stream("POST", "/endless/stream", json={"input": {"input": "x"}}) as response,
        ):
            lines = response.iter_lines()  # kept: the connection ends with it
            next(lines)
            watched.eventually(lambda: going_on() == (1, 1))
        watched.eventually(lambda: going_on() == (0, 0))

    def test_call_tools_that_are_counted_by_name(self, client: httpx.Client, port: str) -> None:
        cues = '[tool calculator {"expression": "6*7"}] [tool calculator {"expression": "1/0"}] [tool nothing {}]'
        assert client.post("/agent/invoke", json={"input": {"input": cues}}).status_code == 200
        assert value(port, "gatehouse_tool_calls_total", tool="calculator", status="ok") == 1
        assert value(port, "gatehouse_tool_calls_total", tool="calculator", status="error") == 1
        assert value(port, "gatehouse_tool_calls_total", tool="nothing") == 0

    def test_that_are_read_on_are_counted_by_transport(
        self, watched: LiveApp, client: httpx.Client, port: str
    ) -> None:
        frames = frames_in(client.post("/api/chat/stream", json={"query": "[tokens 5]"}).text)
        path = f"/api/runs/{frames[0].data['run_id']}/stream"
        assert client.get(path).status_code == 200  # from the start: not a resume
        assert client.get(path, headers={"last-event-id": frames[2].id}).status_code == 200
        assert value(port, "gatehouse_resumes_total", transport="sse") == 1
        url = watched.url.replace("http", "ws") + "/ws/chat/?events=run"
        with connect(url, additional_headers=bearer(), proxy=None) as socket:
            socket.send(
                f'{{"type": "resume", "run_id": "{frames[0].data["run_id"]}", "last_event_id": "1-2"}}'
            )
            assert '"token"' in str(socket.recv(5))
        assert value(port, "gatehouse_resumes_total", transport="websocket") == 1


class TestCallers:
    def test_that_are_refused_are_counted_by_cause(self, watched: LiveApp, port: str) -> None:
        wrong = {
            "unauthenticated": {},
            "invalid-jwt": {"authorization": "Bearer garbage"},
            "invalid-api-key": {"x-api-key": "gh_dev_garbage"},
            "insufficient-scope": bearer(scopes=()),
        }
        for cause, headers in wrong.items():
            with watched.client(headers) as client:
                status = 403 if cause == "insufficient-scope" else 401
                assert client.get("/chat/input_schema").status_code == status
        for cause in wrong:
            assert value(port, "gatehouse_auth_failures_total", cause=cause) == 1

    def test_that_failed_to_sign_in_are_counted_too(self, watched: LiveApp, port: str) -> None:
        with watched.client({}) as client:
            assert client.post("/auth/session", json={"credential": "garbage"}).status_code == 401
            assert client.post("/auth/session", data={"credential": "garbage"}).status_code == 401
        assert value(port, "gatehouse_auth_failures_total", cause="invalid-credential") == 2

    def test_that_hit_a_limit_are_counted_by_limit(self, watched: LiveApp, port: str) -> None:
        with watched.client() as client, client.stream(
            "POST", "/endless/stream", json={"input": {"input": "x"}}
        ) as response:  # fmt: skip
            lines = response.iter_lines()  # kept: the connection ends with it
            next(lines)
            with watched.client() as other:
                assert other.post("/api/chat", json={"query": "x"}).status_code == 429
            url = watched.url.replace("http", "ws") + "/ws/chat/?events=run"
            with connect(url, additional_headers=bearer(), proxy=None) as socket:
                socket.send('{"message": "x"}')
                assert "quota-exceeded" in str(socket.recv(5))
            watched.eventually(lambda: value(port, "gatehouse_limits_hit_total", limit="runs") == 2)


class TestRequests:
    def test_are_counted_by_the_routes_template(self, client: httpx.Client, port: str) -> None:
        for name in ("a", "b", "c"):
            client.get(f"/api/runs/{name}")
            client.get(f"/nothing/{name}")
            client.request("PROPFIND", "/livez")
        of_run = {"route": "/api/runs/{run_id}", "method": "GET"}
        assert value(port, "gatehouse_http_requests_total", **of_run, status="404") == 3
        assert value(port, "gatehouse_http_request_seconds_count", route="/api/runs/{run_id}") == 3
        assert value(port, "gatehouse_http_requests_total", route="other", status="404") == 3
        assert value(port, "gatehouse_http_requests_total", method="other") == 3

    def test_no_label_tells_of_whom_or_of_what(self, client: httpx.Client, port: str) -> None:
        run = client.post("/api/chat", json={"query": "[say hello]"}).json()
        client.get(f"/api/runs/{run['run_id']}")
        labels = {text for sample in samples(port) for text in sample.labels.values()}
        for private in ("alice", "acme", "hello", run["run_id"], run["thread_id"]):
            assert not [text for text in labels if private in text]


def test_names_and_labels_are_those_that_are_agreed(
    watched: LiveApp, client: httpx.Client, port: str
) -> None:
    TestRuns().test_call_tools_that_are_counted_by_name(client, port)
    TestRuns().test_that_are_read_on_are_counted_by_transport(watched, client, port)
    TestCallers().test_that_hit_a_limit_are_counted_by_limit(watched, port)
    client.get("/api/audit", headers={"x-api-key": "both"})
    with watched.client({}) as nobody:
        nobody.get("/api/me")
    watched.eventually(lambda: value(port, "gatehouse_event_loop_lag_seconds_count") > 0)
    found = {sample.name: set(sample.labels) for sample in samples(port)}
    assert {name: found.get(name) for name in EXPECTED} == EXPECTED


class TestManagementPort:
    def test_serves_two_pages_and_nothing_else(self, port: str) -> None:
        assert httpx.get(f"{port}/livez").text == "ok\n"
        for path in ("/", "/readyz", "/api/me", "/docs", "/metrics/x", "/livez/"):
            assert httpx.get(port + path).status_code == 404
        assert httpx.post(f"{port}/metrics").status_code == 501

    def test_is_not_the_users(self, client: httpx.Client) -> None:
        assert client.get("/metrics").status_code == 404
