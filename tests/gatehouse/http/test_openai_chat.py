"""Chat Completions and models, as the official client for Python asks for them."""

from collections.abc import Iterator
from typing import Any

import httpx
import httpx2
import openai
import pytest
from langchain_core.prompt_values import PromptValue
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import ConfigurableFieldSpec, RunnableConfig, RunnableLambda
from live_app import LiveApp, bearer, serving, token
from probe_runnables import SECRET

from chains.registry import REGISTRY
from gatehouse.registry.entry import Entry

PROMPT = ChatPromptTemplate.from_messages(
    [MessagesPlaceholder("history", optional=True), ("human", "{input}")]
)
HISTORY: list[Any] = [
    {"role": "user", "content": "[say one]"},
    {"role": "assistant", "content": "one"},
    {"role": "user", "content": "[say two]"},
]
TOOL: dict[str, Any] = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def came(value: PromptValue) -> str:
    """Say which messages came."""
    return ", ".join(f"{message.type}:{message.text}" for message in value.to_messages())


class Tempered(RunnableLambda[Any, Any]):
    """Says how warm a client has set it."""

    @property
    def config_specs(self) -> list[ConfigurableFieldSpec]:
        return [ConfigurableFieldSpec(id="temperature", annotation=float, default=0.5)]


def tempered(_value: str, config: RunnableConfig) -> str:
    return str(config["configurable"].get("temperature"))


ENTRIES = [
    *REGISTRY,
    Entry("/team/recalling", lambda _: PROMPT | RunnableLambda(came), "Says what came.", client_history=True),
    Entry("/tempered", lambda _: Tempered(tempered), "Is configured.", configurable=["temperature"]),
    Entry("/counting", lambda _: RunnableLambda(lambda value: value + 1), "Takes a number.", input_type=int),
    Entry("/vault", lambda _: RunnableLambda(str), "Not for everybody.", input_type=str, scope="vault:open"),
]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with serving(tmp_path_factory.mktemp("openai"), ENTRIES) as app:
        yield app


@pytest.fixture(scope="module")
def client(live: LiveApp) -> Iterator[openai.OpenAI]:
    """The official client as alice with an API key, which asks nothing twice by itself."""
    with openai.OpenAI(base_url=f"{live.url}/v1", api_key=live.api_key(), max_retries=0) as made:
        yield made


@pytest.fixture(scope="module")
def plain(live: LiveApp) -> Iterator[httpx.Client]:
    """A client of no protocol, for alice."""
    with live.client() as made:
        yield made


def ask(client: openai.OpenAI, text: str, model: str = "chat", **further: Any) -> Any:
    messages: list[Any] = [{"role": "user", "content": text}]
    return client.chat.completions.create(**{"model": model, "messages": messages, **further})


def refusal(client: openai.OpenAI, **further: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        ask(client, "[say hello]", **further)
    return caught.value


class TestModels:
    @pytest.mark.requirement("openai.models")
    def test_are_the_entries_that_something_can_be_said_to(self, client: openai.OpenAI) -> None:
        names = [model.id for model in client.models.list()]
        assert names == ["chat", "summarize", "agent", "team/recalling", "tempered", "vault"]
        assert client.models.retrieve("team/recalling").owned_by == "gatehouse"

    @pytest.mark.requirement("openai.models")
    def test_are_only_those_that_the_caller_may_use(self, live: LiveApp) -> None:
        key = live.api_key(scopes=("runnable:chat",))
        with openai.OpenAI(base_url=f"{live.url}/v1", api_key=key, max_retries=0) as weak:
            assert [model.id for model in weak.models.list()] == ["chat"]
            with pytest.raises(openai.PermissionDeniedError):
                weak.models.retrieve("vault")

    @pytest.mark.parametrize("model", ["nothing", "counting"])
    def test_another_is_not_found(self, client: openai.OpenAI, model: str) -> None:
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve(model)
        refused = refusal(client, model=model)
        assert (refused.status_code, refused.code, refused.param) == (404, "model_not_found", "model")


class TestCredentials:
    @pytest.mark.requirement("openai.bearer")
    def test_a_token_of_the_issuer_is_taken_too(self, live: LiveApp) -> None:
        with openai.OpenAI(base_url=f"{live.url}/v1", api_key=token("bob"), max_retries=0) as bob:
            assert ask(bob, "[say hello]").choices[0].message.content == "hello"

    @pytest.mark.requirement("openai.bearer")
    def test_an_api_key_is_a_bearer_s_nowhere_else(self, live: LiveApp) -> None:
        with live.client({"authorization": f"Bearer {live.api_key()}"}) as client:
            assert client.get("/v1/models").status_code == 200
            assert client.get("/api/me").status_code == 401
            assert client.get("/v1/../api/me").status_code == 401

    def test_a_bad_one_is_an_authentication_error(self, live: LiveApp) -> None:
        with (
            openai.OpenAI(base_url=f"{live.url}/v1", api_key="gh_dev_bad", max_retries=0) as nobody,
            pytest.raises(openai.AuthenticationError) as caught,
        ):
            nobody.models.list()
        assert (caught.value.code, caught.value.type) == ("invalid_credential", "authentication_error")


class TestAnswers:
    @pytest.mark.requirement("openai.chat.answer")
    def test_one_answer_in_one_piece(self, client: openai.OpenAI) -> None:
        answer = ask(client, "[say hello there]")
        choice = answer.choices[0]
        assert (choice.message.role, choice.message.content) == ("assistant", "hello there")
        assert (choice.finish_reason, answer.model, answer.object) == ("stop", "chat", "chat.completion")
        assert answer.usage.completion_tokens == 2
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + 2

    @pytest.mark.requirement("openai.chat.stream")
    @pytest.mark.requirement("openai.chat.usage")
    def test_the_same_in_chunks(self, client: openai.OpenAI) -> None:
        chunks = [*ask(client, "[tokens 3]", stream=True, stream_options={"include_usage": True})]
        *said, end, usage = chunks
        assert [chunk.choices[0].delta.content for chunk in said] == ["", "t1", " t2", " t3"]
        assert said[0].choices[0].delta.role == "assistant"
        assert end.choices[0].finish_reason == "stop"
        assert (usage.choices, usage.usage.completion_tokens) == ([], 3)
        assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1

    @pytest.mark.requirement("openai.chat.usage")
    def test_usage_comes_where_it_is_asked_for_alone(self, client: openai.OpenAI) -> None:
        assert all(chunk.choices and not chunk.usage for chunk in ask(client, "[tokens 2]", stream=True))

    @pytest.mark.requirement("openai.frames")
    def test_frames_end_in_lf_and_the_last_is_done(self, plain: httpx.Client) -> None:
        body = {"model": "chat", "messages": HISTORY[:1], "stream": True}
        response = plain.post("/v1/chat/completions", json=body)
        frames = response.text.split("\n\n")
        assert frames[-2:] == ["data: [DONE]", ""]
        assert all(frame.startswith("data: {") for frame in frames[:-2])
        assert "\r" not in response.text

    @pytest.mark.requirement("openai.chat.tools-hidden")
    def test_tools_of_this_side_are_not_told_of(self, client: openai.OpenAI) -> None:
        asked = '[say Let me see.][tool calculator {"expression": "2+2"}][say Four.]'
        chunks = [*ask(client, asked, "agent", stream=True)]
        assert not any(chunk.choices[0].delta.tool_calls for chunk in chunks)
        said = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert said == ask(client, asked, "agent").choices[0].message.content == "Let me see.\n\nFour."

    @pytest.mark.requirement("openai.errors")
    def test_a_failure_in_the_stream_is_raised_and_tells_no_secret(self, client: openai.OpenAI) -> None:
        chunks = ask(client, f"[fail after 2 {SECRET}]", stream=True)
        with pytest.raises(openai.APIError) as caught:
            list(chunks)
        assert (caught.value.code, caught.value.type) == ("run_failed", "server_error")
        assert SECRET not in str(caught.value.body)


class TestLeaving:
    def test_an_answer_of_no_thread_ends_with_its_client(self, live: LiveApp, plain: httpx.Client) -> None:
        """Nobody can come back to read on, whatever the setting of others says."""
        assert live.settings.disconnect_grace >= 30
        asked = {"role": "user", "content": "[delay 0.1][tokens 900]"}
        body = {"model": "chat", "stream": True, "messages": [asked]}
        with plain.stream("POST", "/v1/chat/completions", json=body) as stream:
            run_id = stream.headers["x-run-id"]
            lines = stream.iter_lines()  # kept: the connection ends with it
            next(lines)
        live.eventually(lambda: not live.running(run_id), 15)
        assert plain.get(f"/api/runs/{run_id}").json()["state"] == "cancelled"


class TestConversations:
    @pytest.mark.requirement("openai.chat.stateless")
    def test_the_client_s_messages_are_the_history(self, plain: httpx.Client, client: openai.OpenAI) -> None:
        answer = client.chat.completions.create(model="team/recalling", messages=HISTORY)
        assert answer.choices[0].message.content == "human:[say one], ai:one, human:[say two]"
        run = plain.get(f"/api/runs/{answer.id.removeprefix('chatcmpl-')}").json()
        assert run["thread_id"] is None

    @pytest.mark.requirement("openai.chat.stateless")
    def test_where_a_client_s_history_is_not_taken_that_is_said(self, client: openai.OpenAI) -> None:
        refused = refusal(client, messages=HISTORY)
        assert (refused.status_code, refused.code, refused.param) == (400, "invalid_value", "messages")
        assert "x-thread-id" in refused.message

    @pytest.mark.requirement("openai.chat.system")
    def test_a_system_message_is_refused(self, client: openai.OpenAI) -> None:
        system: list[Any] = [{"role": "system", "content": "Be a pirate."}, *HISTORY]
        refused = refusal(client, model="team/recalling", messages=system)
        assert (refused.status_code, refused.param) == (400, "messages")

    @pytest.mark.requirement("openai.thread")
    def test_a_thread_of_one_s_own_name_is_begun_and_goes_on(
        self, plain: httpx.Client, client: openai.OpenAI
    ) -> None:
        named: dict[str, Any] = {"extra_headers": {"x-thread-id": "my own chat"}}
        first = client.chat.completions.with_raw_response.create(model="chat", messages=HISTORY[:1], **named)
        thread_id = first.headers["x-thread-id"]
        again = client.chat.completions.create(model="chat", messages=HISTORY, **named)
        by_id = ask(client, "[say three]", metadata={"thread_id": thread_id})
        assert (again.choices[0].message.content, by_id.choices[0].message.content) == ("two", "three")
        items = plain.get(f"/api/threads/{thread_id}/messages").json()["items"]
        said = [item["content"] for item in items]
        assert said == ["[say one]", "one", "[say two]", "two", "[say three]", "three"]

    @pytest.mark.requirement("openai.thread")
    def test_another_s_thread_cannot_be_named(self, live: LiveApp, client: openai.OpenAI) -> None:
        mine = client.chat.completions.with_raw_response.create(
            model="chat", messages=HISTORY[:1], extra_headers={"x-thread-id": "a chat"}
        ).headers["x-thread-id"]
        with openai.OpenAI(base_url=f"{live.url}/v1", api_key=token("bob"), max_retries=0) as bob:
            for name in ("a chat", mine):
                theirs = bob.chat.completions.with_raw_response.create(
                    model="chat", messages=HISTORY[:1], extra_headers={"x-thread-id": name}
                ).headers["x-thread-id"]
                assert theirs != mine

    @pytest.mark.requirement("openai.thread")
    def test_two_different_names_are_refused(self, client: openai.OpenAI) -> None:
        refused = refusal(client, metadata={"thread_id": "a"}, extra_headers={"x-thread-id": "b"})
        assert refused.param == "metadata.thread_id"

    @pytest.mark.requirement("openai.idempotency")
    def test_an_idempotency_key_finds_the_first_run(self, client: openai.OpenAI) -> None:
        key: dict[str, Any] = {"extra_headers": {"idempotency-key": "once"}}
        assert ask(client, "[say hello]", **key).id == ask(client, "[say hello]", **key).id


class TestParameters:
    @pytest.mark.requirement("openai.parameters")
    @pytest.mark.parametrize(
        "further",
        [
            {"n": 2},
            {"logprobs": True},
            {"tools": [TOOL]},
            {"response_format": {"type": "json_object"}},
            {"stop": ["x"]},
            {"logit_bias": {"50256": -100}},
            {"modalities": ["text", "audio"]},
        ],
        ids=lambda further: next(iter(further)),
    )
    def test_what_would_change_the_answer_is_refused(
        self, client: openai.OpenAI, further: dict[str, Any]
    ) -> None:
        refused = refusal(client, **further)
        assert (refused.status_code, refused.code) == (400, "unsupported_parameter")
        assert refused.param in further

    @pytest.mark.requirement("openai.parameters")
    def test_what_user_interfaces_send_by_default_is_ignored(self, client: openai.OpenAI) -> None:
        sent: dict[str, Any] = {
            "temperature": 0.7, "top_p": 1, "max_tokens": 5, "user": "x", "seed": 1, "n": 1, "tools": [],
            "response_format": {"type": "text"}, "extra_body": {"chat_id": "a UI's own"},
        }  # fmt: skip
        assert ask(client, "[tokens 9]", **sent).choices[0].message.content.endswith("t9")

    @pytest.mark.requirement("openai.parameters")
    def test_what_the_runnable_declares_reaches_it(self, client: openai.OpenAI) -> None:
        assert ask(client, "?", "tempered", temperature=0.9).choices[0].message.content == "0.9"

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"model": "chat", "messages": []},
            {"model": "chat", "messages": [{"role": "pirate", "content": "x"}]},
            {"model": "chat", "messages": [{"role": ["user"], "content": "x"}]},
            {"model": "chat", "messages": [{"role": "user"}]},
            {"model": "chat", "messages": [{"role": "user", "content": [{"type": "telepathy"}]}]},
            {"model": "chat", "messages": [{"role": "tool", "content": "x"}]},
            {"model": "chat", "messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]},
            {"model": "chat", "messages": [{"role": "system", "content": "x"}]},
            {"model": "chat", "messages": HISTORY[:1], "metadata": {"thread_id": 5}},
            {"model": "team/recalling", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        ],
    )
    @pytest.mark.requirement("openai.errors")
    def test_a_faulty_request_is_a_400_that_names_the_field(
        self, plain: httpx.Client, body: dict[str, Any]
    ) -> None:
        response = plain.post("/v1/chat/completions", json=body)
        assert response.status_code == 400, response.text
        error = response.json()["error"]
        assert error["type"] == "invalid_request_error"
        assert error["param"]
        assert response.headers["x-should-retry"] == "false"


class TestRetries:
    """What the client does by itself: it asks again unless it is told that this cannot help."""

    @pytest.fixture
    def asked(self, live: LiveApp) -> Iterator[tuple[openai.OpenAI, list[httpx2.Request]]]:
        """The client with its usual two repetitions, and what it has asked."""
        requests: list[httpx2.Request] = []
        http = httpx2.Client(event_hooks={"request": [requests.append]}, headers=bearer())
        with openai.OpenAI(base_url=f"{live.url}/v1", api_key=token(), http_client=http) as client:
            yield client, requests

    @pytest.mark.requirement("openai.retries")
    def test_a_run_that_failed_is_not_started_again(
        self, asked: tuple[openai.OpenAI, list[httpx2.Request]]
    ) -> None:
        client, requests = asked
        assert refusal(client, messages=[{"role": "user", "content": "[fail]"}]).status_code == 500
        assert len(requests) == 1

    @pytest.mark.requirement("openai.retries")
    def test_a_thread_that_is_busy_is_not_asked_again(
        self, asked: tuple[openai.OpenAI, list[httpx2.Request]]
    ) -> None:
        client, requests = asked
        slow: list[Any] = [{"role": "user", "content": "[delay 0.1][tokens 100]"}]
        named: dict[str, Any] = {"extra_headers": {"x-thread-id": "busy"}}
        with client.chat.completions.create(model="chat", messages=slow, stream=True, **named) as busy:
            next(busy)
            assert refusal(client, **named).status_code == 409
        assert len(requests) == 2
