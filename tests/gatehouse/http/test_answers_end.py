"""How a model's answer ended, told the same over every route: a provider on loopback says exactly these chunks."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from peculiar_provider import (
    Asking,
    call,
    delta,
    peculiar,
    says,
    sends,
    streams,
    text,
)
from planted_words import PLANTED
from provider_server import Json, Reply

from chains.registry import REGISTRY

ARGUMENTS = '{"initial": 1000, "final": 1250}'
DATA = '{"title": "T", "summary": "S", "key_points": ["a"]}'
PAGE = "<!doctype html><html><body>Sign in</body></html>"


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    with peculiar(tmp_path_factory.mktemp("ends"), REGISTRY) as server:
        yield server


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    """A server that asks once more."""
    with peculiar(tmp_path_factory.mktemp("patient"), REGISTRY, model_retries=1) as server:
        yield server


def assert_problem(
    asking: Asking, kind: str, *replies: Reply, runnable: str = "chat", value: Any = None
) -> None:
    """Assert that each route tells of the same problem, and that the thread has no answer."""
    told = asking.streamed(*replies, runnable=runnable)
    assert (told.status, told.problem) == ("failed", kind)
    assert told.message["status"] == "failed"
    assert asking.chat(*replies, runnable=runnable).json()["type"].endswith(f":{kind}")
    invoked = asking.invoke(*replies, runnable=runnable, value=value)
    assert invoked.json()["type"].endswith(f":{kind}")
    frames = asking.langserve(*replies, runnable=runnable, value=value)
    assert (frames[-1].event, frames[-1].data["status_code"]) == ("error", invoked.status_code)


class TestToolCalls:
    @pytest.mark.parametrize("finish", ["length", None, "error", "unheard_of"])
    def test_one_that_was_cut_off_is_not_made(self, asking: Asking, finish: str | None) -> None:
        cut = streams(call('{"initial": 1000, "final": 12'), delta({}, finish), done=finish is not None)
        assert_problem(asking, "model-cut-off", cut, runnable="agent")

    @pytest.mark.parametrize("finish", ["length", "content_filter"])
    def test_one_that_looks_whole_is_not_made_when_its_answer_is_not(
        self, asking: Asking, finish: str
    ) -> None:
        told = asking.streamed(streams(call(ARGUMENTS), delta({}, finish)), runnable="agent")
        assert told.status == "failed"
        assert told.of("tool_start") == []

    def test_the_model_is_asked_once_more_where_nothing_was_shown(self, patient: Asking) -> None:
        cut = streams(call('{"initial": 1000, "final": 12'), delta({}, "length"))
        whole = streams(call(ARGUMENTS), delta({}, "tool_calls"))
        told = patient.streamed(cut, whole, says("25 %"), runnable="agent")
        assert [started["input"] for started in told.of("tool_start")] == [{"initial": 1000, "final": 1250}]
        assert told.complete["content"] == "25 %"

    @pytest.mark.parametrize(
        "arguments",
        [
            '{"initial": 1000, final: }}',
            "initial=1000",
            "[1000, 1250]",
            '"1000"',
            "1000",
            "null",
            f"```json\n{ARGUMENTS}\n```",
            json.dumps(ARGUMENTS),
            '{"initial": 1000, "final": 12',
        ],
    )
    def test_the_model_is_told_what_is_wrong_with_one_and_goes_on(
        self, asking: Asking, arguments: str
    ) -> None:
        faulty = streams(call(arguments), delta({}, "tool_calls"))
        whole = streams(call(ARGUMENTS), delta({}, "tool_calls"))
        told = asking.streamed(faulty, whole, says("25 %"), runnable="agent")
        assert [started["input"] for started in told.of("tool_start")] == [{"initial": 1000, "final": 1250}]
        assert told.complete["content"] == "25 %"
        asked = asking.provider.asked[1].body["messages"][-1]
        assert asked["role"] == "tool"
        assert "JSON" in asked["content"]
        assert (
            asking.invoke(faulty, whole, says("25 %"), runnable="agent").json()["output"]["content"] == "25 %"
        )

    def test_one_that_is_faulty_holds_up_the_others_of_its_answer(self, asking: Asking) -> None:
        faulty = streams(call(ARGUMENTS), call("[1]", call_id="call_2", index=1), delta({}, "tool_calls"))
        told = asking.streamed(faulty, says("ok"), runnable="agent")
        assert told.of("tool_start") == []
        assert [one["role"] for one in asking.provider.asked[1].body["messages"][-3:]] == [
            "assistant",
            "tool",
            "tool",
        ]

    def test_a_model_that_never_makes_one_that_can_be_read_fails(self, asking: Asking) -> None:
        faulty = streams(call("[1]"), delta({}, "tool_calls"))
        assert_problem(asking, "model-answer-unusable", *[faulty] * 3, runnable="agent")

    @pytest.mark.parametrize("call_id", [None, "", "absent"])
    def test_one_without_an_id_is_given_one(self, asking: Asking, call_id: str | None) -> None:
        chunk = call(ARGUMENTS, call_id=call_id)
        if call_id == "absent":
            del chunk["choices"][0]["delta"]["tool_calls"][0]["id"]
        replies = streams(chunk, delta({}, "tool_calls")), says("ok")
        told = asking.streamed(*replies, runnable="agent")
        assert told.of("tool_start")[0]["call_id"] == told.of("tool_end")[0]["call_id"] != ""
        assert asking.invoke(*replies, runnable="agent").status_code == 200

    def test_the_same_id_in_every_turn_is_two_calls(self, asking: Asking) -> None:
        first = streams(call(ARGUMENTS, call_id="call_0"), delta({}, "tool_calls"))
        second = streams(call('{"initial": 1, "final": 2}', call_id="call_0"), delta({}, "tool_calls"))
        told = asking.streamed(first, second, says("ok"), runnable="agent")
        ids = [event["call_id"] for event in told.of("tool_start")]
        assert ids == [event["call_id"] for event in told.of("tool_end")]
        assert len(set(ids)) == 2
        assert [one["input"]["final"] for one in told.message["tool_calls"]] == [1250, 2]
        assert ["25.0" in one["output"] for one in told.message["tool_calls"]] == [True, False]

    @pytest.mark.parametrize("kind", ["same ids", "no index", "same index", "repeated name", "whole object"])
    def test_pieces_are_put_together_however_they_are_cut(self, asking: Asking, kind: str) -> None:
        told = asking.streamed(streams(*pieces(kind), delta({}, "tool_calls")), says("ok"), runnable="agent")
        inputs = [started["input"] for started in told.of("tool_start")]
        assert inputs == [{"initial": 1, "final": 2}, {"initial": 3, "final": 4}]
        assert len({started["call_id"] for started in told.of("tool_start")}) == 2


def pieces(kind: str) -> list[Json]:
    """Return two tool calls as servers send them that are not OpenAI."""
    first, second = '{"initial": 1, "final": 2}', '{"initial": 3, "final": 4}'
    match kind:
        case "same ids":
            return [call(first, call_id="c"), call(second, call_id="c", index=1)]
        case "same index":
            return [call(first, call_id="a"), call(second, call_id="b")]
        case "repeated name":
            return [
                call(part, call_id=call_id, index=index)
                for index, (call_id, whole) in enumerate([("a", first), ("b", second)])
                for part in (whole[:9], whole[9:])
            ]
    chunks = [call(first, call_id="a"), call(second, call_id="b", index=1)]
    for chunk in chunks:
        (piece,) = chunk["choices"][0]["delta"]["tool_calls"]
        if kind == "no index":
            del piece["index"]
        else:
            piece["function"]["arguments"] = json.loads(piece["function"]["arguments"])
    return chunks


class TestText:
    @pytest.mark.parametrize(
        "finish",
        ["error", "abort", "network_error", "insufficient_system_resource", "OTHER_ERROR", "load", None],
    )
    def test_that_was_cut_off_is_no_answer(self, asking: Asking, finish: str | None) -> None:
        assert_problem(asking, "model-cut-off", streams(text("Well, "), text("you"), delta({}, finish)))

    def test_of_a_stream_that_just_closes_is_no_answer(self, asking: Asking) -> None:
        told = asking.streamed(streams(text("Well, "), done=False))
        assert (told.status, told.problem) == ("failed", "model-cut-off")
        assert (told.message["content"], told.message["status"]) == ("Well, ", "failed")

    @pytest.mark.parametrize("finish", ["content_filter", "SAFETY", "PROHIBITED_CONTENT", "sensitive"])
    def test_that_was_filtered_is_no_answer(self, asking: Asking, finish: str) -> None:
        assert_problem(asking, "content-filtered", streams(text("Well, "), delta({}, finish)))

    @pytest.mark.parametrize("finish", ["length", "max_tokens", "model_length"])
    def test_of_no_word_that_reached_its_length_is_no_answer(self, asking: Asking, finish: str) -> None:
        assert_problem(asking, "model-cut-off", streams(delta({"content": ""}), delta({}, finish)))

    @pytest.mark.parametrize("finish", ["stop", "eos", "end_turn", "STOP", "eos_token", "tool_calls"])
    def test_that_ended_well_is_one(self, asking: Asking, finish: str) -> None:
        told = asking.streamed(streams(text("Fine."), delta({}, finish)))
        assert (told.status, told.complete["content"]) == ("completed", "Fine.")

    def test_whose_connection_breaks_after_its_end_is_one(self, asking: Asking) -> None:
        def breaks(exchange: Any) -> None:
            exchange.begin()
            for chunk in (text("Fine."), delta({}, "stop")):
                exchange.send(json.dumps(chunk))
            exchange.close_connection = True

        assert asking.streamed(breaks).complete["content"] == "Fine."


ANSWERS_OF_NOTHING = {
    "a sign-in page": sends(PAGE, "text/html"),
    "a page that says it is a stream": sends(PAGE, "text/event-stream"),
    "a page in an event": sends(f"data: {PAGE}\n\n", "text/event-stream"),
    "an empty body": sends(b""),
    "plain text": sends("oops", "text/plain"),
    "null": sends("null"),
    "a list": sends("[]"),
    "an object of nothing": sends("{}"),
    "choices that are null": sends('{"choices": null}'),
    "no choices": sends('{"choices": []}'),
    "half a body": sends('{"choices": [{"mess'),
    "a stream of no event": sends("data: [DONE]\n\n", "text/event-stream"),
    "a stream of comments": sends(": alive\n\n", "text/event-stream"),
    "an answer of no word": streams(delta({"role": "assistant", "content": ""}), delta({}, "stop")),
}


class TestNothing:
    @pytest.mark.parametrize("name", ANSWERS_OF_NOTHING)
    def test_with_a_success_is_the_providers_failure(self, asking: Asking, name: str) -> None:
        assert_problem(asking, "model-said-nothing", ANSWERS_OF_NOTHING[name])

    @pytest.mark.parametrize("name", ANSWERS_OF_NOTHING)
    def test_is_asked_for_again(self, patient: Asking, name: str) -> None:
        assert patient.streamed(ANSWERS_OF_NOTHING[name], says()).complete["content"] == "Fine."
        assert patient.invoke(ANSWERS_OF_NOTHING[name], says()).json()["output"] == "Fine."

    @pytest.mark.parametrize(
        "error",
        [
            {"error": {"message": "boom", "code": 500}},
            {"error": "boom"},
            {"object": "error", "message": "boom"},
        ],
    )
    def test_an_error_with_a_success_is_one(self, asking: Asking, error: Json) -> None:
        assert_problem(asking, "model-unavailable", sends(json.dumps(error)))


class TestRefusals:
    REFUSAL = staticmethod(
        streams(delta({"refusal": "I can't "}), delta({"refusal": "help."}), delta({}, "stop"))
    )

    def test_are_answers(self, asking: Asking) -> None:
        told = asking.streamed(self.REFUSAL)
        assert told.complete["content"] == told.message["content"] == "I can't help."
        assert asking.invoke(self.REFUSAL).json()["output"] == "I can't help."

    def test_are_problems_where_data_is_asked_for(self, asking: Asking) -> None:
        assert_problem(asking, "model-refused", self.REFUSAL, runnable="summarize", value={"text": "x"})


class TestData:
    @pytest.mark.parametrize(
        "answer", [DATA, f"```json\n{DATA}\n```", f"```\n{DATA}```", f"Here it is:\n{DATA}"]
    )
    def test_is_read_in_its_fence_too(self, asking: Asking, answer: str) -> None:
        reply = streams(text(answer), delta({}, "stop"))
        assert json.loads(asking.streamed(reply, runnable="summarize").complete["content"]) == json.loads(
            DATA
        )
        invoked = asking.invoke(reply, runnable="summarize", value={"text": "x"})
        assert invoked.json()["output"] == json.loads(DATA)

    @pytest.mark.parametrize(
        "answer", ['{"title": "T"}', "I think so.", DATA[:20], "[1]", "null", '{"title": 1}']
    )
    def test_of_another_form_is_one_problem(self, asking: Asking, answer: str) -> None:
        reply = streams(text(answer), delta({}, "stop"))
        value = {"text": "x"}
        assert_problem(asking, "model-answer-unusable", reply, runnable="summarize", value=value)

    def test_that_was_cut_off_is_one_too(self, asking: Asking) -> None:
        reply = streams(text(DATA[:20]), delta({}, "length"))
        assert_problem(asking, "model-cut-off", reply, runnable="summarize", value={"text": "x"})


TOO_LONG: dict[str, tuple[int, Json]] = {
    "vLLM": (400, {"object": "error", "message": "This model's maximum context length is 4096 tokens.", "code": 400}),
    "vLLM with a success": (200, {"object": "error", "message": "This model's maximum context length is 4096 tokens."}),
    "llama.cpp": (400, {"error": {"code": 400, "message": "?", "type": "exceed_context_size_error", "n_ctx": 4096}}),
    "Anthropic": (400, {"error": {"type": "invalid_request_error", "message": "prompt is too long: 205000 tokens"}}),
    "Gemini": (400, {"error": {"message": "The input token count (1500000) exceeds the maximum number of tokens"}}),
    "Mistral": (400, {"message": "Prompt contains 40000 tokens, too large for model with 32768 maximum context length"}),
    "Bedrock": (413, {"detail": "Input is too long for requested model."}),
    "TGI": (422, {"error": "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096."}),
}  # fmt: skip


@pytest.mark.parametrize("provider", TOO_LONG)
def test_too_long_is_too_long_in_any_words(asking: Asking, provider: str) -> None:
    status, body = TOO_LONG[provider]
    assert_problem(asking, "input-too-long", *[sends(json.dumps(body), status=status)] * 2)


def test_a_rate_limit_that_speaks_of_tokens_is_a_rate_limit(asking: Asking) -> None:
    said = {
        "error": {
            "message": "Request too large for gpt-4o on tokens per min. Reduce the length.",
            "code": "x",
        }
    }
    assert_problem(asking, "model-rate-limited", sends(json.dumps(said), status=429))


QUOTING = {
    "a refusal that quotes the question": sends(
        f'{{"error": {{"message": "Invalid: {PLANTED}"}}}}', status=400
    ),
    "an error that quotes it": sends(f'{{"error": {{"message": "failed on {PLANTED}"}}}}', status=500),
    "an error with a success": sends(f'{{"error": {{"message": "{PLANTED}"}}}}'),
    "a page": sends(f"<html>{PLANTED}</html>", "text/html"),
    "data of another form": streams(text(f'{{"title": ["{PLANTED}"]}}'), delta({}, "stop")),
    "text in place of data": streams(text(PLANTED), delta({}, "stop")),
    "a faulty call": streams(call(f"[{PLANTED}]"), delta({}, "tool_calls")),
    "a tool that fails": streams(call(f'{{"initial": "{PLANTED}"}}'), delta({}, "tool_calls")),
    "an answer": streams(text(PLANTED), delta({}, "unheard_of")),
}


@pytest.mark.parametrize("runnable", ["chat", "agent", "summarize"])
@pytest.mark.parametrize("name", QUOTING)
def test_nothing_of_a_question_or_an_answer_is_logged(
    asking: Asking, logged: Any, name: str, runnable: str
) -> None:
    value = {"text": PLANTED} if runnable == "summarize" else {"input": PLANTED}
    asking.streamed(*[QUOTING[name]] * 4, runnable=runnable)
    asking.invoke(*[QUOTING[name]] * 4, runnable=runnable, value=value)
    asking.langserve(*[QUOTING[name]] * 4, runnable=runnable, value=value)
    assert PLANTED not in logged.getvalue()
