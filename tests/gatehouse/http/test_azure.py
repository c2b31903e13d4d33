"""Azure OpenAI through the whole application: a server on loopback that speaks Azure's wire."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from live_app import LiveApp, serving
from provider_server import (
    API_VERSION,
    DEPLOYMENT,
    HELLO,
    KEY,
    ProviderServer,
    Reply,
    azure_settings,
    breaks_after,
    calls,
    errs_after,
    fails,
    filters_the_prompt,
    hangs_after,
    providing,
    says,
)
from sse_frames import Frame, frames_in

from chains.registry import REGISTRY

QUESTION = {"query": "hello?", "runnable": "chat"}
TIMES: dict[str, Any] = {
    "model_timeout": 1, "model_call_timeout": 20, "model_retries": 0, "model_breaker_failures": 10_000,
}  # fmt: skip
ANSWER = "".join(HELLO)

Start = Callable[..., LiveApp]


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with providing() as server:
        yield server


@pytest.fixture
def azure(provider: ProviderServer) -> ProviderServer:
    """The deployment, which nobody has asked anything yet."""
    provider.plan.clear()
    provider.asked.clear()
    return provider


@pytest.fixture(scope="module")
def servers(provider: ProviderServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Start a server whose model is that deployment; tests with the same settings have the same one."""
    started: dict[str, LiveApp] = {}
    with ExitStack() as stack:

        def start(**changes: Any) -> LiveApp:
            settings = {**azure_settings(provider), **TIMES, **changes}
            if (name := repr(settings)) not in started:
                folder = tmp_path_factory.mktemp("azure")
                started[name] = stack.enter_context(serving(folder, REGISTRY, **settings))
            return started[name]

        yield start


@pytest.fixture
def start(servers: Start, azure: ProviderServer) -> Iterator[Start]:  # nothing was asked
    """Start a server as `servers` does, and leave no request of the test behind."""
    used: list[LiveApp] = []

    def started(**changes: Any) -> LiveApp:
        used.append(servers(**changes))
        return used[-1]

    yield started
    for live in used:
        live.eventually(lambda live=live: not live.requests)


def asked(live: LiveApp, query: str = "hello?", runnable: str = "chat") -> Any:
    """Return the response of /api/chat."""
    with live.client() as client:
        return client.post("/api/chat", json={"query": query, "runnable": runnable})


def streamed(live: LiveApp, query: str = "hello?", runnable: str = "chat") -> list[Frame]:
    """Return the events of /api/chat/stream."""
    with live.client() as client:
        return frames_in(client.post("/api/chat/stream", json={"query": query, "runnable": runnable}).text)


def of_type(frames: list[Frame], kind: str) -> list[Any]:
    return [frame.data for frame in frames if frame.type == kind]


class TestAnswers:
    def test_a_chain_answers_with_the_usage_that_azure_tells(
        self, start: Start, azure: ProviderServer
    ) -> None:
        body = asked(start()).json()
        assert body["response"] == ANSWER
        assert body["usage"] == {"input_tokens": 11, "output_tokens": 4, "total_tokens": 15}
        (request,) = azure.asked
        assert request.path == f"/openai/deployments/{DEPLOYMENT}/chat/completions"
        assert request.query == {"api-version": [API_VERSION]}
        assert request.headers["api-key"] == KEY
        assert "Authorization" not in request.headers

    def test_a_stream_has_its_tokens_and_no_empty_one(self, start: Start) -> None:
        frames = streamed(start())
        assert [token["content"] for token in of_type(frames, "token")] == list(HELLO)
        (complete,) = of_type(frames, "complete")
        assert complete["usage"]["total_tokens"] == 15

    def test_an_agent_calls_a_tool_and_answers(self, start: Start, azure: ProviderServer) -> None:
        azure.plan.extend([calls("calculator", {"expression": "2+2"}), says("It", " is", " 4")])
        frames = streamed(start(), runnable="agent")
        (began,) = of_type(frames, "tool_start")
        assert (began["tool"], began["input"]) == ("calculator", {"expression": "2+2"})
        (ended,) = of_type(frames, "tool_end")
        assert (json.loads(ended["output"])["result"], ended["is_error"]) == (4, False)
        assert [token["content"] for token in of_type(frames, "token")] == ["It", " is", " 4"]
        assert of_type(frames, "complete")[0]["usage"]["total_tokens"] == 30
        names = [tool["function"]["name"] for tool in azure.asked[0].body["tools"]]
        assert "calculator" in names
        told = azure.asked[1].body["messages"][-1]
        assert (told["role"], told["tool_call_id"], told["content"]) == ("tool", "call_1", ended["output"])

    def test_langserve_streams_the_agents_tokens(self, start: Start, azure: ProviderServer) -> None:
        azure.plan.extend([calls("calculator", {"expression": "2+2"}), says("It", " is", " 4")])
        with start().client() as client:
            text = client.post("/agent/stream", json={"input": {"input": "2+2?"}}).text
        frames = frames_in(text)
        contents = [frame.data["content"] for frame in frames if frame.event == "data"]
        assert "".join(contents) == "It is 4"
        assert frames[-1].event == "end"

    def test_a_structured_answer_is_parsed(self, start: Start, azure: ProviderServer) -> None:
        azure.plan.append(says('{"title": "T", "summary": "S", "key_points": ["a"]}'))
        with start().client() as client:
            response = client.post("/summarize/invoke", json={"input": {"text": "a long text"}})
        assert response.json()["output"] == {"title": "T", "summary": "S", "key_points": ["a"]}
        assert azure.asked[0].body["response_format"]["type"] == "json_schema"


BUSY = fails(429, "429", "Requests have exceeded the call rate limit.", {"retry-after": "7"})
TOO_LONG = fails(400, "context_length_exceeded", "This model's maximum context length is 8192 tokens.")
BAD_VERSION = fails(400, "BadRequest", "Unsupported api-version value 2019-01-01.")
DOWN = fails(503, "ServiceUnavailable", "The service is temporarily unavailable.")

FAILURES = [
    pytest.param(filters_the_prompt(), 422, "content-filtered", None, id="the prompt is filtered"),
    pytest.param(BUSY, 503, "model-rate-limited", "7", id="429 with retry-after"),
    pytest.param(DOWN, 503, "model-unavailable", "5", id="503"),
    pytest.param(TOO_LONG, 422, "input-too-long", None, id="too many tokens"),
    pytest.param(BAD_VERSION, 502, "model-misconfigured", None, id="a version that there is not"),
    pytest.param(fails(404, "DeploymentNotFound", "?"), 502, "model-misconfigured", None, id="no deployment"),
    pytest.param(fails(400, "BadRequest", "?"), 500, "run-failed", None, id="any other refusal"),
    pytest.param(hangs_after(), 504, "model-timeout", None, id="silence"),
]


class TestFailures:
    @pytest.mark.parametrize(("reply", "status", "kind", "retry_after"), FAILURES)
    def test_each_is_a_problem_of_its_own_and_an_event(
        self,
        start: Start,
        azure: ProviderServer,
        reply: Reply,
        status: int,
        kind: str,
        retry_after: str | None,
    ) -> None:
        live = start(model_call_timeout=2)
        azure.plan.extend([reply] * 3)
        response = asked(live)
        assert (response.status_code, response.json()["type"]) == (status, f"urn:gatehouse:problem:{kind}")
        assert response.headers.get("retry-after") == retry_after
        frames = streamed(live)
        (error,) = of_type(frames, "error")
        assert error["problem"]["status"] == status
        assert error["problem"]["type"] == f"urn:gatehouse:problem:{kind}"
        assert error["problem"].get("retry_after") == (int(retry_after) if retry_after else None)
        assert of_type(frames, "end") == [{"type": "end", "content": "", "status": "failed"}]
        with live.client() as client:
            frames = frames_in(client.post("/agent/stream", json={"input": {"input": "?"}}).text)
        assert frames[-1].event == "error"
        assert frames[-1].data["status_code"] == status
        assert "traceback" not in response.text.lower()

    @pytest.mark.parametrize(
        "wrong",
        [
            {"azure_openai_api_key": "wrong"},
            {"azure_openai_api_version": "2019-01-01"},
            {"azure_openai_deployment_name": "nobody"},
        ],
    )
    def test_a_wrong_setting_is_the_servers_fault_and_shows_no_key(
        self, start: Start, wrong: dict[str, str]
    ) -> None:
        response = asked(start(**wrong))
        assert response.status_code == 502
        assert response.json()["type"].endswith("model-misconfigured")
        assert not any(value in response.text for value in (KEY, *wrong.values()))

    @pytest.mark.parametrize("runnable", ["chat", "agent"])
    @pytest.mark.parametrize(
        ("reply", "kind"),
        [
            (says("Well,", " you", finish="content_filter"), "content-filtered"),
            (breaks_after("Well,", " you"), "model-unavailable"),
            (errs_after("Well,", " you"), "model-unavailable"),
            (errs_after("Well,", " you", code="rate_limit_exceeded"), "model-rate-limited"),
            (hangs_after("Well,", " you"), "model-timeout"),
        ],
    )
    def test_in_the_middle_of_a_stream_what_came_is_kept_and_the_event_says_why(
        self, start: Start, azure: ProviderServer, reply: Reply, kind: str, runnable: str
    ) -> None:
        azure.plan.append(reply)
        frames = streamed(start(model_retries=2), runnable=runnable)
        assert "".join(token["content"] for token in of_type(frames, "token")) == "Well, you"
        assert of_type(frames, "error")[0]["problem"]["type"].endswith(f":{kind}")
        assert len(azure.asked) == 1  # part of the answer was shown: it is not asked again

    def test_a_withheld_answer_in_one_piece_is_filtered_too(
        self, start: Start, azure: ProviderServer
    ) -> None:
        azure.plan.append(says("", finish="content_filter"))
        with start().client() as client:
            response = client.post("/chat/invoke", json={"input": {"input": "?"}})
        assert response.status_code == 422
        assert response.json()["type"].endswith("content-filtered")

    def test_the_log_says_what_the_provider_said(
        self, start: Start, azure: ProviderServer, logged: Any
    ) -> None:
        azure.plan.append(fails(404, "DeploymentNotFound", "The API deployment does not exist."))
        asked(start())
        assert "The API deployment does not exist." in logged.getvalue()
        assert KEY not in logged.getvalue()


class TestPatience:
    def test_what_fails_for_a_moment_is_asked_again(self, start: Start, azure: ProviderServer) -> None:
        azure.plan.extend([DOWN, breaks_after()])
        assert asked(start(model_retries=2)).json()["response"] == ANSWER
        assert len(azure.asked) == 3

    def test_the_fallback_answers_before_the_first_token(self, start: Start, azure: ProviderServer) -> None:
        live = start(azure_openai_deployment_name="nobody", fallback_model=f"azure:{DEPLOYMENT}")
        assert asked(live).json()["response"] == ANSWER
        assert [token["content"] for token in of_type(streamed(live), "token")] == list(HELLO)

    def test_the_fallback_of_an_agent_has_its_tools(self, start: Start, azure: ProviderServer) -> None:
        azure.plan.append(DOWN)
        live = start(fallback_model="scripted")
        frames = streamed(live, '[tool calculator {"expression": "3*3"}]', "agent")
        assert json.loads(of_type(frames, "tool_end")[0]["output"])["result"] == 9

    def test_while_the_provider_is_down_runs_are_refused_at_the_door(
        self, start: Start, azure: ProviderServer
    ) -> None:
        live = start(model_breaker_failures=2, model_breaker_cooldown=600)
        azure.plan.extend([DOWN, DOWN])
        assert [asked(live).status_code for _ in range(2)] == [503, 503]
        with live.client() as client:
            refused = [
                client.post("/api/chat", json=QUESTION),
                client.post("/api/chat/stream", json=QUESTION),
                client.post("/agent/stream", json={"input": {"input": "?"}}),
                client.post("/chat/batch", json={"inputs": [{"input": "?"}]}),
                client.get("/api/stream", params={"query": "?"}),
            ]
            joining = client.post("/api/chat", json=QUESTION, headers={"idempotency-key": "one"})
        for response in refused:
            assert response.status_code == 503
            assert response.json()["type"] == "urn:gatehouse:problem:model-unavailable"
            assert 1 <= int(response.headers["retry-after"]) <= 600
        assert joining.status_code == 503  # a run that has begun, and failed at once
        assert len(azure.asked) == 2

    def test_after_the_cooldown_one_call_tries_and_all_go_on(
        self, start: Start, azure: ProviderServer
    ) -> None:
        live = start(model_breaker_failures=1, model_breaker_cooldown=0.2)
        azure.plan.append(DOWN)
        assert asked(live).status_code == 503
        live.eventually(lambda: asked(live).status_code == 200)

    def test_an_open_circuit_with_a_fallback_refuses_nobody(
        self, start: Start, azure: ProviderServer
    ) -> None:
        live = start(model_breaker_failures=1, model_breaker_cooldown=600, fallback_model="scripted")
        azure.plan.append(DOWN)
        answers = [asked(live).json()["response"] for _ in range(2)]
        assert answers == ["This is a scripted answer."] * 2
        assert len(azure.asked) == 1
