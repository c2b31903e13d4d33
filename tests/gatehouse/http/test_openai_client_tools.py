"""A chat model that is served alone: a client's own tools, schemas and system messages."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from live_app import LiveApp
from openai_served import client_of, served
from pydantic import BaseModel

from gatehouse.registry.checked import BadRegistry, checked
from gatehouse.registry.entry import Entry
from gatehouse.runs.records import load

PARAMETERS = {"type": "object", "properties": {"place": {"type": "string"}}}
FUNCTION: dict[str, Any] = {"name": "look", "description": "Looks.", "parameters": PARAMETERS}
TOOLS: list[Any] = [{"type": "function", "function": FUNCTION}]
FLAT_TOOLS: list[Any] = [{"type": "function", "strict": False, **FUNCTION}]
ASKED: list[Any] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": '[tool look {"place": "here"}][say It is here.]'},
]


class Event(BaseModel):
    name: str
    guests: int


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with served(tmp_path_factory.mktemp("tools")) as app:
        yield app


@pytest.fixture(scope="module")
def client(live: LiveApp) -> Iterator[openai.OpenAI]:
    with client_of(live) as made:
        yield made


@pytest.mark.requirement("openai.client-tools")
class TestChat:
    def test_a_call_of_a_client_s_tool_comes_back_and_its_result_is_answered(
        self, client: openai.OpenAI
    ) -> None:
        first = client.chat.completions.create(model="model", messages=ASKED, tools=TOOLS).choices[0]
        assert first.finish_reason == "tool_calls"
        [call] = first.message.tool_calls or []
        assert call.to_dict()["function"] == {"name": "look", "arguments": '{"place":"here"}'}
        result = {"role": "tool", "tool_call_id": call.id, "content": "seen"}
        told: list[Any] = [*ASKED, first.message.to_dict(), result]
        then = client.chat.completions.create(model="model", messages=told, tools=TOOLS).choices[0]
        assert (then.finish_reason, then.message.content) == ("stop", "It is here.")

    def test_a_stream_tells_the_same_call(self, client: openai.OpenAI) -> None:
        with client.chat.completions.stream(model="model", messages=ASKED, tools=TOOLS) as stream:
            choice = stream.get_final_completion().choices[0]
        assert choice.finish_reason == "tool_calls"
        assert [call.function.name for call in choice.message.tool_calls or []] == ["look"]

    def test_none_is_called_where_the_client_wants_none(self, client: openai.OpenAI) -> None:
        plain: list[Any] = [{"role": "user", "content": "[say Nothing.]"}]
        answer = client.chat.completions.create(
            model="model", messages=plain, tools=TOOLS, tool_choice="none"
        )
        assert answer.choices[0].message.content == "Nothing."

    def test_one_is_called_where_the_client_names_it(self, client: openai.OpenAI) -> None:
        plain: list[Any] = [{"role": "user", "content": "somewhere"}]
        named: Any = {"type": "function", "function": {"name": "look"}}
        answer = client.chat.completions.create(model="model", messages=plain, tools=TOOLS, tool_choice=named)
        assert answer.choices[0].finish_reason == "tool_calls"

    @pytest.mark.parametrize(
        "further",
        [
            {"tools": [{"type": "web_search"}]},
            {"tools": [{"type": "function", "function": {}}]},
            {"tools": TOOLS, "tool_choice": "another"},
            {"response_format": {"type": "json_object"}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            {"response_format": {"type": "json_schema", "json_schema": 5}},
        ],
    )
    def test_what_cannot_be_bound_is_refused(self, client: openai.OpenAI, further: Any) -> None:
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model="model", messages=ASKED, **further)
        assert caught.value.param in ("tools", "tool_choice", "response_format")


@pytest.mark.requirement("openai.structured")
class TestStructured:
    def test_a_chat_is_parsed(self, client: openai.OpenAI) -> None:
        asked: list[Any] = [{"role": "user", "content": "A party"}]
        parsed = client.chat.completions.parse(model="model", messages=asked, response_format=Event)
        assert isinstance(parsed.choices[0].message.parsed, Event)
        with client.chat.completions.stream(model="model", messages=asked, response_format=Event) as stream:
            assert stream.get_final_completion().choices[0].message.parsed == parsed.choices[0].message.parsed

    def test_a_response_is_parsed(self, client: openai.OpenAI) -> None:
        parsed = client.responses.parse(model="model", input="A party", text_format=Event)
        assert isinstance(parsed.output_parsed, Event)


@pytest.mark.requirement("openai.client-tools")
def test_a_response_has_a_function_call_and_takes_its_output(client: openai.OpenAI) -> None:
    asked: Any = {"role": "user", "content": '[tool look {"place": "here"}][say It is here.]'}
    first = client.responses.create(model="model", input=[asked], tools=FLAT_TOOLS)
    [call] = first.output
    assert call.type == "function_call"
    assert (call.name, call.arguments, call.status) == ("look", '{"place":"here"}', "completed")
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "seen"}
    told: Any = [asked, call.to_dict(), output]
    then = client.responses.create(
        model="model", input=told, tools=FLAT_TOOLS, instructions="Be brief.", store=False
    )
    assert then.output_text == "It is here."


@pytest.mark.requirement("openai.responses.outputs")
class TestOutputsAfterAResponse:
    ASKED = '[tool look {"place": "here"}][say It is here.]'

    def test_are_answered_in_place_of_the_call(self, live: LiveApp, client: openai.OpenAI) -> None:
        first = client.responses.create(model="model", input=self.ASKED, tools=FLAT_TOOLS)
        [call] = first.output
        assert call.type == "function_call"
        assert first.tools[0].to_dict() == {"type": "function", "strict": False, **FUNCTION}
        output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "seen"}
        then = client.responses.create(
            model="model",
            input=[output],
            previous_response_id=first.id,
            tools=FLAT_TOOLS,
            instructions="Be brief.",
        )
        assert (then.output_text, then.previous_response_id) == ("It is here.", first.id)
        assert first.conversation is not None
        assert then.conversation == first.conversation
        with live.client() as plain:
            thread = plain.get(f"/api/threads/{first.conversation.id}/messages").json()
        assert [(said["role"], said["content"]) for said in thread["items"]] == [
            ("human", self.ASKED),
            ("ai", "It is here."),
        ]

    @pytest.mark.parametrize(
        "given",
        [
            [{"type": "function_call_output", "call_id": "another", "output": "seen"}],
            [
                {"type": "function_call_output", "call_id": "another", "output": "seen"},
                {"role": "user", "content": "And?"},
            ],
        ],
    )
    def test_of_other_calls_are_refused(self, client: openai.OpenAI, given: Any) -> None:
        first = client.responses.create(model="model", input=self.ASKED, tools=FLAT_TOOLS)
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.create(model="model", input=given, previous_response_id=first.id)
        assert caught.value.param == "input"

    def test_of_a_response_that_called_nothing_are_refused(self, client: openai.OpenAI) -> None:
        first = client.responses.create(model="model", input="[say Nothing.]")
        output: Any = {"type": "function_call_output", "call_id": "call", "output": "seen"}
        with pytest.raises(openai.BadRequestError, match="has called nothing"):
            client.responses.create(model="model", input=[output], previous_response_id=first.id)


@pytest.mark.requirement("openai.client-tools")
def test_instructions_hold_in_a_conversation_that_goes_on(live: LiveApp, client: openai.OpenAI) -> None:
    first = client.responses.create(model="model", input="[say one]", instructions="Be brief.")
    then = client.responses.create(
        model="model", input="[say two]", instructions="Be long.", previous_response_id=first.id
    )
    run = live.run(load(live.services.redis, then.id.removeprefix("resp_")))
    assert run is not None
    assert [said["type"] for said in run.input] == ["system", "human"]
    assert run.input[0]["content"] == "Be long."
    shape = live.services.entries["model"].shape
    told = shape.with_history(shape.typed(run.input), [HumanMessage("[say one]"), AIMessage("one")])
    assert [message.type for message in told] == ["system", "human", "ai", "human"]


def test_an_entry_of_anything_else_is_refused_at_the_start() -> None:
    with pytest.raises(BadRegistry, match="client_tools is for a chat model itself"):
        checked("r:R", [Entry("/x", lambda parts: parts.model | str, "No model.", client_tools=True)])
