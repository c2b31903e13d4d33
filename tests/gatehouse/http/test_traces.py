"""Traces of a real server, as a collector receives them."""

import io
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from live_app import LiveApp, bearer, serving
from otlp_receiver import Collector, collecting
from websockets.sync.client import connect

from chains.registry import REGISTRY

SECRET = "sk-live-51H8QmnoSecretOfTheBank"
PARENT_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{PARENT_TRACE}-00f067aa0ba902b7-01"
ASK = f'[tool calculator {{"expression": "6*7"}}] [say My key is {SECRET}.]'


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    with collecting() as collector:
        yield collector


@pytest.fixture
def traced(serve: Any, collector: Collector) -> LiveApp:
    live: LiveApp = serve("/chat", "/agent", "/failing", "/endless", otel_endpoint=collector.url)
    return live


@pytest.fixture
def client(traced: LiveApp) -> Iterator[httpx.Client]:
    with traced.client() as client:
        yield client


class TestSpans:
    def test_of_request_run_model_and_tool_are_one_trace(
        self, client: httpx.Client, collector: Collector
    ) -> None:
        answer = client.post("/api/chat", json={"query": ASK, "runnable": "agent"})
        assert answer.status_code == 200
        request = collector.named("POST /api/chat")
        run = collector.named("invoke_workflow agent")
        tool = collector.named("execute_tool calculator")
        model = collector.named("chat scripted")
        assert {span.trace for span in (request, run, tool, model)} == {request.trace}
        assert (request.parent, run.parent) == ("", request.id)
        assert (tool.parent, model.parent) == (run.id, run.id)
        assert request.service == "gatehouse"
        assert not [span for span in collector.spans if span.failed]

    def test_say_what_the_semantic_conventions_have_names_for(
        self, client: httpx.Client, collector: Collector
    ) -> None:
        run_id = client.post("/api/chat", json={"query": ASK, "runnable": "agent"}).json()["run_id"]
        request = collector.named("POST /api/chat").attributes
        run = collector.named("invoke_workflow agent").attributes
        tool = collector.named("execute_tool calculator").attributes
        model = collector.named("chat scripted").attributes
        assert request["http.request.method"] == "POST"
        assert request["http.route"] == request["url.path"] == "/api/chat"
        assert request["http.response.status_code"] == 200
        assert run["gatehouse.run.id"] == run_id
        assert (run["gatehouse.run.status"], run["gatehouse.tenant"]) == ("completed", "acme")
        assert run["gen_ai.usage.output_tokens"] > 0
        assert tool["gen_ai.operation.name"] == "execute_tool"
        assert tool["gen_ai.tool.name"] == "calculator"
        assert tool["gen_ai.tool.call.id"]
        assert model["gen_ai.operation.name"] == "chat"
        assert model["gen_ai.request.model"] == "scripted"
        assert model["gen_ai.usage.input_tokens"] > 0

    def test_hold_no_text_user_or_secret(self, client: httpx.Client, collector: Collector) -> None:
        client.post(f"/api/chat?q={SECRET}", json={"query": ASK, "runnable": "agent"})
        client.get(f"/api/runs/{SECRET}")
        client.post("/failing/invoke", json={"input": {"input": SECRET}})
        collector.named("invoke_workflow failing")
        collector.named("GET /api/runs/{run_id}")
        sent = b"".join(collector.bodies)
        for private in (SECRET, "alice", "My key is", "6*7", "Bearer"):
            assert private.encode() not in sent

    def test_of_what_failed_say_so(self, client: httpx.Client, collector: Collector) -> None:
        client.post("/failing/invoke", json={"input": {"input": "x"}})
        run = collector.named("invoke_workflow failing")
        assert run.failed
        assert run.attributes["error.type"] == "run-failed"
        assert collector.named("POST /failing/invoke").failed

    def test_of_a_model_that_failed_name_its_exception(
        self, client: httpx.Client, collector: Collector
    ) -> None:
        client.post("/chat/invoke", json={"input": {"input": f"[fail after 2 {SECRET}]"}})
        model = collector.named("chat scripted")
        assert model.failed
        assert model.attributes["error.type"]
        assert SECRET.encode() not in b"".join(collector.bodies)

    def test_of_a_model_that_was_cut_off_are_ended(self, client: httpx.Client, collector: Collector) -> None:
        with client.stream(
            "POST", "/chat/stream", json={"input": {"input": "[delay 0.1] [tokens 900]"}}
        ) as r:
            lines = r.iter_lines()  # kept: the connection ends with it
            next(lines)
        assert collector.named("chat scripted").attributes["error.type"] in ("cut_off", "CancelledError")

    def test_go_on_the_callers_trace(self, client: httpx.Client, collector: Collector) -> None:
        client.post("/chat/invoke", json={"input": {"input": "[say hi]"}}, headers={"traceparent": PARENT})
        request = collector.named("POST /chat/invoke")
        assert (request.trace, request.parent) == (PARENT_TRACE, "00f067aa0ba902b7")
        assert collector.named("invoke_workflow chat").trace == PARENT_TRACE

    @pytest.mark.parametrize("garbage", ["", "00", "x" * 5000, f"00-{'0' * 32}-{'0' * 16}-01", "\N{SNOWMAN}"])
    def test_do_not_go_on_a_trace_that_is_none(
        self, client: httpx.Client, collector: Collector, garbage: str
    ) -> None:
        headers = {"traceparent": garbage.encode()}
        assert client.get("/api/me", headers=headers).status_code == 200  # type: ignore[arg-type]
        assert collector.named("GET /api/me").parent == ""

    def test_of_a_websocket_hold_those_of_its_runs(self, traced: LiveApp, collector: Collector) -> None:
        url = traced.url.replace("http", "ws") + "/ws/chat/?events=run"
        with connect(url, additional_headers=bearer(), proxy=None) as websocket:
            websocket.send('{"message": "[say hello]", "runnable": "chat"}')
            while json.loads(websocket.recv(10))["type"] != "end":
                pass
        socket_span = collector.named("WEBSOCKET /ws/chat/")
        assert collector.named("invoke_workflow chat").parent == socket_span.id
        assert not socket_span.failed


class TestTraceId:
    def test_is_in_problems_and_in_the_log(
        self, client: httpx.Client, collector: Collector, logged: io.StringIO
    ) -> None:
        problem = client.get("/api/runs/none", headers={"traceparent": PARENT}).json()
        assert problem["trace_id"] == PARENT_TRACE
        client.post("/failing/invoke", json={"input": {"input": "x"}}, headers={"traceparent": PARENT})
        lines = [json.loads(line) for line in logged.getvalue().splitlines()]
        [failed] = [line for line in lines if line["event"] == "run failed"]
        assert failed["trace_id"] == PARENT_TRACE
        assert {line["trace_id"] for line in lines if line["event"] == "request"} == {PARENT_TRACE}

    def test_is_in_the_error_that_ends_a_stream(self, client: httpx.Client) -> None:
        body = {"query": "[fail after 1 x]", "runnable": "chat"}
        text = client.post("/api/chat/stream", json=body, headers={"traceparent": PARENT}).text
        assert f'"trace_id":"{PARENT_TRACE}"' in text

    def test_is_nowhere_without_traces(self, serve: Any) -> None:
        live: LiveApp = serve("/chat")
        with live.client() as client:
            problem = client.get("/api/runs/none", headers={"traceparent": PARENT}).json()
        assert "trace_id" not in problem


class TestNextAttempt:
    def test_goes_on_the_trace_of_the_first(self, traced: LiveApp, collector: Collector) -> None:
        """As on another replica: this process loses a run and takes it up again outside of any request."""
        runs = traced.services.runs
        with traced.client() as client, client.stream(
            "POST", "/api/chat/stream", json={"query": "[delay 0.05] [tokens 100]", "runnable": "chat"},
            headers={"traceparent": PARENT},
        ) as response:  # fmt: skip
            lines = response.iter_lines()  # kept: the connection ends with it
            next(lines)
            traced.eventually(lambda: len(runs.local) == 1)
            [run_id] = runs.local

            async def hand_over() -> None:
                runs.local[run_id].halt("handover")

            traced.run(hand_over())
            traced.eventually(lambda: run_id in runs.local and runs.local[run_id].run.attempt == 2, 20)
            for _ in lines:
                pass
        spans = [span for span in collector.spans if span.name == "invoke_workflow chat"]
        traced.eventually(lambda: any(s.attributes["gatehouse.run.attempt"] == 2 for s in collector.spans
                                      if s.name == "invoke_workflow chat"))  # fmt: skip
        spans = [span for span in collector.spans if span.name == "invoke_workflow chat"]
        assert {span.trace for span in spans} == {PARENT_TRACE}
        assert {span.attributes["gatehouse.run.attempt"] for span in spans} == {1, 2}


class TestCollector:
    def test_that_is_away_disturbs_nobody(self, serve: Any) -> None:
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            live: LiveApp = serve("/chat", otel_endpoint=f"http://127.0.0.1:{nobody.getsockname()[1]}")
            with live.client() as client:
                assert client.post("/api/chat", json={"query": "[say hi]"}).status_code == 200

    def test_gets_the_last_spans_at_the_end(
        self, serve: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
        with collecting() as collector:
            with (
                serving(tmp_path, REGISTRY, otel_endpoint=f"{collector.url}/") as live,
                live.client() as client,
            ):
                assert client.get("/api/me").status_code == 200
                assert collector.spans == []
            began = time.monotonic()
            collector.named("GET /api/me")
            assert time.monotonic() - began < 5


def test_nothing_goes_to_langsmith_unless_its_setting_says_so(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever other variables of LangChain's say that an operator has in the environment."""
    with collecting() as collector:
        monkeypatch.setenv("LANGCHAIN_TRACING_V2", "true")
        monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_pt_of_nobody")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", collector.url)
        taken: list[bytes] = []
        monkeypatch.setattr(collector, "take", taken.append)
        live: LiveApp = serve("/chat")
        with live.client() as client:
            assert client.post("/api/chat", json={"query": "[say hi]"}).status_code == 200
        time.sleep(1)
        assert taken == []
