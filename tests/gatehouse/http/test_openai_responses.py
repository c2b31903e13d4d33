"""Responses, as the official client for Python asks for them."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from live_app import LiveApp, token
from openai_served import AGENT, client_of, served
from probe_runnables import SECRET

EVERY_KEY = {
    "id", "object", "created_at", "completed_at", "status", "incomplete_details", "model",
    "previous_response_id", "instructions", "output", "error", "tools", "tool_choice", "truncation",
    "parallel_tool_calls", "text", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs",
    "temperature", "reasoning", "usage", "max_output_tokens", "max_tool_calls", "store", "background",
    "service_tier", "metadata", "safety_identifier", "prompt_cache_key",
}  # fmt: skip


# of those of which nothing is known here; the others' schema takes no null
MAY_BE_NULL = {
    "incomplete_details", "previous_response_id", "instructions", "error", "reasoning", "max_output_tokens",
    "max_tool_calls", "safety_identifier", "prompt_cache_key",
}  # fmt: skip


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with served(tmp_path_factory.mktemp("responses")) as app:
        yield app


@pytest.fixture(scope="module")
def client(live: LiveApp) -> Iterator[openai.OpenAI]:
    with client_of(live) as made:
        yield made


@pytest.fixture(scope="module")
def bob(live: LiveApp) -> Iterator[openai.OpenAI]:
    with client_of(live, token("bob")) as made:
        yield made


@pytest.fixture(scope="module")
def plain(live: LiveApp) -> Iterator[httpx.Client]:
    """A client of no protocol, for alice."""
    with live.client() as made:
        yield made


class TestAnswers:
    @pytest.mark.requirement("openai.responses.answer")
    def test_a_text_is_answered_in_one_piece(self, client: openai.OpenAI) -> None:
        response = client.responses.create(model="chat", input="[say hello there]", metadata={"a": "b"})
        assert (response.output_text, response.status, response.model) == ("hello there", "completed", "chat")
        assert response.usage
        assert response.usage.output_tokens == 2
        assert (response.metadata, response.error) == ({"a": "b"}, None)

    @pytest.mark.requirement("openai.responses.answer")
    def test_every_key_of_open_responses_is_there(self, plain: httpx.Client) -> None:
        response = plain.post("/v1/responses", json={"model": "chat", "input": "[say hello]"}).json()
        assert response.keys() >= EVERY_KEY
        assert {name for name in EVERY_KEY if response[name] is None} == MAY_BE_NULL
        part = response["output"][0]["content"][0]
        assert part == {"type": "output_text", "text": "hello", "annotations": [], "logprobs": []}

    @pytest.mark.requirement("openai.responses.events")
    def test_events_are_numbered_from_0_and_end_with_the_whole(self, client: openai.OpenAI) -> None:
        events = [*client.responses.create(model="chat", input="[tokens 2]", stream=True)]
        assert [event.type.removeprefix("response.") for event in events] == [
            "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta",
            "output_text.delta", "output_text.done", "content_part.done", "output_item.done", "completed",
        ]  # fmt: skip
        assert [event.sequence_number for event in events] == [*range(10)]

    @pytest.mark.requirement("openai.responses.events")
    @pytest.mark.requirement("openai.frames")
    def test_frames_name_their_event_and_the_last_is_done(self, plain: httpx.Client) -> None:
        body = {"model": "chat", "input": "[say hello]", "stream": True}
        text = plain.post("/v1/responses", json=body).text
        *frames, done, rest = text.split("\n\n")
        assert (done, rest) == ("data: [DONE]", "")
        for frame in frames:
            event, data = frame.split("\n")
            assert f'"type":"{event.removeprefix("event: ")}"' in data

    @pytest.mark.requirement("openai.responses.tools")
    def test_tools_of_this_side_are_mcp_calls(self, client: openai.OpenAI) -> None:
        with client.responses.stream(model="agent", input=AGENT) as stream:
            kinds = [event.type for event in stream]
            response = stream.get_final_response()
        assert "response.mcp_call.completed" in kinds
        assert [item.type for item in response.output] == ["message", "mcp_call", "message"]
        call: Any = response.output[1]
        assert (call.name, call.server_label, call.status) == ("calculator", "gatehouse", "completed")
        assert (call.arguments, "4" in call.output) == ('{"expression":"2+2"}', True)
        assert response.output_text == "Let me see.\n\nFour."

    @pytest.mark.requirement("openai.responses.failure")
    def test_a_failure_is_an_error_and_a_failed_response(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.InternalServerError) as caught:
            client.responses.create(model="chat", input=f"[fail {SECRET}]")
        assert caught.value.code == "run_failed"
        events: list[Any] = [*client.responses.create(model="chat", input=f"[fail {SECRET}]", stream=True)]
        error, failed = events[-2:]
        assert (error.type, failed.type) == ("error", "response.failed")
        assert failed.response.error.code == "server_error"
        assert SECRET not in failed.to_json()


class TestStored:
    @pytest.mark.requirement("openai.responses.stored")
    def test_a_response_can_be_asked_for_again(self, client: openai.OpenAI) -> None:
        response = client.responses.create(model="agent", input=AGENT)
        again = client.responses.retrieve(response.id)
        assert again.to_dict() == response.to_dict()
        [item] = client.responses.input_items.list(response.id).data
        assert item.to_dict()["content"] == [{"type": "input_text", "text": AGENT}]

    @pytest.mark.requirement("openai.responses.stored")
    def test_what_is_not_stored_is_not_found(self, client: openai.OpenAI) -> None:
        response: Any = client.responses.create(model="chat", input="[say hello]", store=False)
        assert (response.output_text, response.store) == ("hello", False)
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(response.id)

    @pytest.mark.requirement("openai.responses.stored")
    def test_a_part_that_it_has_not_come_to_is_not_found(self, client: openai.OpenAI) -> None:
        response = client.responses.create(model="chat", input="[say hello]")
        for part in ("0", "1", "x"):
            with pytest.raises(openai.NotFoundError):
                client.responses.retrieve(f"{response.id}_{part}")

    @pytest.mark.requirement("openai.responses.stored")
    def test_another_s_is_not_found(self, client: openai.OpenAI, bob: openai.OpenAI) -> None:
        response = client.responses.create(model="chat", input="[say hello]")
        for ask in (bob.responses.retrieve, bob.responses.cancel, bob.responses.delete):
            with pytest.raises(openai.NotFoundError):
                ask(response.id)
        with pytest.raises(openai.NotFoundError):
            bob.responses.create(model="chat", input="x", previous_response_id=response.id)

    @pytest.mark.requirement("openai.responses.delete")
    def test_a_deleted_one_is_gone_with_what_was_said(
        self, client: openai.OpenAI, plain: httpx.Client
    ) -> None:
        first = client.responses.create(model="chat", input="[say one]")
        second = client.responses.create(model="chat", input="[say two]", previous_response_id=first.id)
        with pytest.raises(openai.ConflictError):
            client.responses.delete(first.id)
        client.responses.delete(second.id)
        assert said_in(plain, thread_of(first)) == ["[say one]", "one"]
        client.responses.delete(first.id)
        assert plain.get(f"/api/threads/{thread_of(first)}").status_code == 404
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(first.id)


@pytest.mark.requirement("openai.responses.previous")
class TestPrevious:
    def test_a_conversation_goes_on(self, client: openai.OpenAI, plain: httpx.Client) -> None:
        first = client.responses.create(model="recalling", input="a")
        second = client.responses.create(model="recalling", input="b", previous_response_id=first.id)
        assert second.output_text == "human:a, ai:human:a, human:b"
        assert second.previous_response_id == first.id
        assert thread_of(second) == thread_of(first)

    def test_after_one_that_is_not_the_last_it_branches(
        self, client: openai.OpenAI, plain: httpx.Client
    ) -> None:
        first = client.responses.create(model="recalling", input="a")
        second = client.responses.create(model="recalling", input="b", previous_response_id=first.id)
        beside = client.responses.create(model="recalling", input="c", previous_response_id=first.id)
        assert beside.output_text == "human:a, ai:human:a, human:c"
        assert said_in(plain, thread_of(first))[2] == "c"
        after = client.responses.create(model="recalling", input="d", previous_response_id=second.id)
        assert after.output_text == f"human:a, ai:human:a, human:b, ai:{second.output_text}, human:d"

    def test_a_conversation_s_name_may_hold_half_a_character(self, plain: httpx.Client) -> None:
        body = rb'{"model": "recalling", "input": "a", "conversation": "\ud800"}'
        answer = plain.post("/v1/responses", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 200

    def test_a_conversation_can_be_named(self, client: openai.OpenAI) -> None:
        client.responses.create(model="recalling", input="a", conversation="mine")
        second = client.responses.create(model="recalling", input="b", conversation="mine")
        assert second.output_text == "human:a, ai:human:a, human:b"

    def test_one_that_is_not_complete_is_a_conflict(self, client: openai.OpenAI) -> None:
        slow = client.responses.create(model="chat", input="[delay 0.1][tokens 100]", background=True)
        with pytest.raises(openai.ConflictError):
            client.responses.create(model="chat", input="x", previous_response_id=slow.id)
        client.responses.cancel(slow.id)

    def test_one_that_was_not_stored_is_not_found(self, client: openai.OpenAI) -> None:
        response = client.responses.create(model="chat", input="[say one]", store=False)
        with pytest.raises(openai.NotFoundError):
            client.responses.create(model="chat", input="x", previous_response_id=response.id)

    def test_one_that_never_was_is_not_found(self, client: openai.OpenAI) -> None:
        for name in ("resp_nothing", "nothing", "resp_" + "a" * 150):
            with pytest.raises(openai.NotFoundError):
                client.responses.create(model="chat", input="x", previous_response_id=name)


@pytest.mark.requirement("openai.responses.background")
class TestBackground:
    def test_goes_on_without_a_reader(self, client: openai.OpenAI) -> None:
        response = client.responses.create(model="chat", input="[delay 0.01][tokens 30]", background=True)
        assert response.status == "queued"
        until = time.monotonic() + 10
        while (now := client.responses.retrieve(response.id)).status in ("queued", "in_progress"):
            assert time.monotonic() < until
        assert (now.status, now.output_text.split()[-1]) == ("completed", "t30")

    @pytest.mark.requirement("openai.responses.starting-after")
    def test_is_joined_after_the_last_event_that_was_seen(self, client: openai.OpenAI) -> None:
        asked: Any = {"model": "chat", "input": "[delay 0.01][tokens 30]", "background": True}
        with client.responses.create(**asked, stream=True) as stream:
            seen: list[Any] = [next(stream) for _ in range(12)]
        response_id = seen[0].response.id
        rest = [*client.responses.retrieve(response_id, stream=True, starting_after=seen[-1].sequence_number)]
        both = [*seen, *rest]
        assert [event.sequence_number for event in both] == [*range(len(both))]
        assert [event.type for event in both[:3]] == [
            "response.created", "response.queued", "response.in_progress",
        ]  # fmt: skip
        whole = [*client.responses.retrieve(response_id, stream=True)]
        assert [event.to_dict() for event in whole] == [event.to_dict() for event in both]

    @pytest.mark.requirement("openai.responses.cancel")
    def test_is_cancelled_and_keeps_what_came(self, client: openai.OpenAI) -> None:
        response = client.responses.create(model="chat", input="[delay 0.02][tokens 500]", background=True)
        stream = client.responses.retrieve(response.id, stream=True)
        while next(stream).type != "response.output_text.delta":
            pass
        cancelled = client.responses.cancel(response.id)
        assert cancelled.status == "cancelled"
        assert cancelled.output_text.startswith("t1")
        assert [event.type for event in stream][-1] == "response.incomplete"
        assert client.responses.cancel(response.id).status == "cancelled"

    def test_needs_to_be_stored(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model="chat", input="x", background=True, store=False)
        assert caught.value.param == "background"


@pytest.mark.requirement("openai.responses.refused")
@pytest.mark.parametrize(
    "body",
    [
        {"input": "x"},
        {"model": "chat"},
        {"model": "chat", "input": []},
        {"model": "chat", "input": [{"type": "telepathy"}]},
        {"model": "chat", "input": [{"role": "pirate", "content": "x"}]},
        {"model": "chat", "input": [{"role": "user", "content": [{"type": "input_image"}]}]},
        {"model": "chat", "input": [{"type": "function_call_output", "output": "x"}]},
        {"model": "chat", "input": [{"type": "reasoning"}]},
        {"model": "chat", "input": "x", "instructions": "Be a pirate."},
        {"model": "chat", "input": "x", "tools": [{"type": "web_search"}]},
        {"model": "chat", "input": "x", "tools": [{"type": "function", "name": "look"}]},
        {
            "model": "chat",
            "input": "x",
            "text": {"format": {"type": "json_schema", "name": "x", "schema": {}}},
        },
        {"model": "chat", "input": "x", "text": {"format": 5}},
        {"model": "chat", "input": "x", "conversation": {"id": 5}},
        {"model": "chat", "input": "x", "conversation": "a", "previous_response_id": "resp_b"},
        {"model": "chat", "input": "x", "conversation": "a", "store": False},
        {"model": "chat", "input": "x", "prompt": {"id": "p"}},
        {"model": "chat", "input": "x", "metadata": {"long": "x" * 513}},
        {"model": "chat", "input": "x", "metadata": {"x" * 65: "long"}},
        {"model": "chat", "input": "x", "metadata": {"nested": {"x": ["y"]}}},
        {"model": "chat", "input": "x", "metadata": {str(number): "x" for number in range(17)}},
        {"model": "chat", "input": "x", "user": "x" * 513},
        {"model": "chat", "input": "x", "safety_identifier": "x" * 513},
        {"model": "chat", "input": "x", "truncation": {"x": 1}},
    ],
)
def test_a_faulty_request_is_a_400_that_names_the_field(plain: httpx.Client, body: dict[str, Any]) -> None:
    response = plain.post("/v1/responses", json=body)
    assert response.status_code == 400, response.text
    assert response.json()["error"]["param"]


def thread_of(response: Any) -> str:
    """Return the thread that a response is in."""
    name: str = response.conversation.id
    return name


def said_in(plain: httpx.Client, thread_id: str) -> list[str]:
    items = plain.get(f"/api/threads/{thread_id}/messages").json()["items"]
    return [item["content"] for item in items]
