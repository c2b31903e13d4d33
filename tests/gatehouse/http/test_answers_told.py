"""What is told of a model's answer beside its text, and answers of odd text: the same over every route."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_server import free_port
from peculiar_provider import Asking, call, delta, peculiar, says, sends, streams, text, usage
from provider_server import Exchange, Reply
from scraped import value
from sse_frames import frames_in
from websocket_server import ALICE

from chains.registry import REGISTRY
from gatehouse.runs.events import Complete, Cursor, Usage, record
from gatehouse.runs.records import RunRecord
from gatehouse.wires.websocket.projection import LangChainFrames

ARGUMENTS = '{"initial": 1000, "final": 1250}'
ENDED = delta({}, "stop")
RUN = RunRecord("r", ALICE, "/chat", "x", None, 0.0, 300.0, 0)


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asking]:
    with peculiar(tmp_path_factory.mktemp("told"), REGISTRY, management_port=free_port()) as server:
        yield server


class TestFinishReason:
    @pytest.mark.parametrize(
        ("finish", "told"),
        [("stop", "stop"), ("length", "length"), ("max_tokens", "length"), ("unheard_of", "unheard_of")],
    )
    def test_is_the_same_everywhere(self, asking: Asking, finish: str, told: str) -> None:
        reply = streams(text("Well, "), text("you"), delta({}, finish))
        found = asking.streamed(reply)
        assert found.status == "completed"
        assert found.complete["finish_reason"] == told
        assert found.message["finish_reason"] == told
        with asking.live.client() as client:
            run_id = found.of("start")[0]["run_id"]
            assert client.get(f"/api/runs/{run_id}").json()["finish_reason"] == told
        assert asking.chat(reply).json()["finish_reason"] == told

    def test_that_is_no_natural_end_is_told_with_plain_tokens_too(self, asking: Asking) -> None:
        asking.plan(streams(text("Well"), delta({}, "length")))
        with asking.live.client() as client:
            body = client.post("/api/stream", json={"query": "?", "runnable": "chat"}).text
        data = [frame.data for frame in frames_in(body)]
        assert data == [{"token": "Well"}, {"finish_reason": "length"}, {"done": True, "status": "completed"}]

    def test_that_is_no_natural_end_is_told_in_langchains_words_too(self) -> None:
        usage = Usage(1, 2, 3)
        cut = record(
            Cursor(1, 3), Complete(content="Well", finish_reason="length", usage=usage, duration_ms=1)
        )
        whole = record(Cursor(1, 3), Complete(content="Well", usage=usage, duration_ms=1))
        frames = [json.loads(frame) for one in (cut, whole) for frame in LangChainFrames(RUN).frames(one)]
        assert frames[0]["metadata"] == {"finish_reason": "length"}
        assert frames[1]["data"] == frames[0]["data"] == {"output": "Well"}
        assert "metadata" not in frames[1]

    def test_of_a_refusal_says_so(self, asking: Asking) -> None:
        found = asking.streamed(streams(delta({"refusal": "No."}), ENDED))
        assert (found.complete["finish_reason"], found.complete["content"]) == ("refusal", "No.")

    def test_of_an_agent_is_that_of_its_answer(self, asking: Asking) -> None:
        called = streams(call(ARGUMENTS), delta({}, "tool_calls"))
        found = asking.streamed(called, says("25", finish="length"), runnable="agent")
        assert found.complete["finish_reason"] == found.message["finish_reason"] == "length"

    def test_of_a_run_that_failed_is_none(self, asking: Asking) -> None:
        found = asking.streamed(streams(text("Well"), done=False))
        assert found.message["finish_reason"] is None

    def test_is_counted(self, asking: Asking) -> None:
        asking.streamed(streams(text("Well"), delta({}, "length")))
        port = f"http://127.0.0.1:{asking.live.settings.management_port}"
        told = {"model": "vendor/model-7b", "finish_reason": "length"}
        assert value(port, "gatehouse_model_answers_total", **told) >= 1


class TestUsage:
    def test_that_is_told_with_every_chunk_is_what_it_was_in_the_end(self, asking: Asking) -> None:
        chunks = [text("a", usage=usage(20, number)["usage"]) for number in range(1, 101)]
        found = asking.streamed(streams(*chunks, delta({}, "stop", usage=usage(20, 100)["usage"])))
        assert found.complete["usage"] == {"input_tokens": 20, "output_tokens": 100, "total_tokens": 120}

    def test_that_nobody_tells_is_estimated_and_says_so(self, asking: Asking) -> None:
        reply = streams(text("word " * 200), ENDED)
        found = asking.streamed(reply)
        assert found.complete["usage"]["output_tokens"] == 250
        assert found.complete["usage"]["input_tokens"] > 10
        assert found.complete["usage_estimated"]
        assert asking.chat(reply).json()["usage_estimated"]
        assert not asking.streamed(says()).complete["usage_estimated"]

    @pytest.mark.parametrize(
        ("status", "said"),
        [
            (422, {"detail": [{"loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}]}),
            (422, {"detail": "?"}),
            (400, {"error": {"message": "Unrecognized request argument supplied: stream_options"}}),
        ],
    )
    def test_is_asked_for_until_a_server_refuses_that(
        self, tmp_path: Path, status: int, said: object
    ) -> None:
        with peculiar(tmp_path, REGISTRY) as asking:
            replies = [refusing_options(status, said, streams(text("Fine."), ENDED))] * 3
            assert asking.streamed(*replies).complete["content"] == "Fine."
            assert len(asking.provider.asked) == 2
            assert asking.streamed(sends('{"detail": "?"}', status=422)).status == "failed"
            assert len(asking.provider.asked) == 1
            assert asking.streamed(*replies).complete["usage_estimated"]
            assert len(asking.provider.asked) == 1

    def test_is_not_asked_for_where_it_is_not_to_be(self, tmp_path: Path) -> None:
        with peculiar(tmp_path, REGISTRY, model_stream_usage="never") as asking:
            assert asking.streamed(says()).status == "completed"
            assert "stream_options" not in asking.provider.asked[0].body

    def test_is_asked_for_again_when_something_else_was_wrong(self, tmp_path: Path) -> None:
        with peculiar(tmp_path, REGISTRY) as asking:
            assert asking.streamed(*[sends('{"detail": "?"}', status=422)] * 2).status == "failed"
            asking.streamed(says())
            assert "stream_options" in asking.provider.asked[0].body

    def test_has_thoughts_and_what_was_cached_apart(self, tmp_path: Path) -> None:
        details = {
            "prompt_tokens_details": {"cached_tokens": 7},
            "completion_tokens_details": {"reasoning_tokens": 3},
        }
        prices = tmp_path / "prices.json"
        prices.write_text('{"models": {"vendor/model-7b": {"input": 2, "output": 4, "cached_input": 1}}}')
        with peculiar(tmp_path, REGISTRY, model_prices=prices) as asking:
            asking.streamed(streams(text("Fine."), ENDED, usage(10, 5, **details)))
            asking.live.eventually(asking.usage)
            (used,) = asking.usage()
        assert (used["model"], used["total_tokens"]) == ("vendor/model-7b", 15)
        assert (used["cached_tokens"], used["reasoning_tokens"], used["estimated_tokens"]) == (7, 3, 0)
        assert used["cost"] == pytest.approx((3 * 2 + 7 * 1 + 5 * 4) / 1e6)

    def test_has_a_models_name_once_however_often_it_is_told(self, tmp_path: Path) -> None:
        with peculiar(tmp_path, REGISTRY) as asking:
            asking.streamed(streams(text("a", "stop"), text("b", "stop"), delta({}, "stop")))
            asking.streamed(streams(text("cut"), delta({}, "length")))
            asking.live.eventually(lambda: sum(row["runs"] for row in asking.usage()) == 2)
            (used,) = asking.usage()
        assert (used["model"], used["cut"]) == ("vendor/model-7b", 1)
        assert used["estimated_tokens"] == used["total_tokens"] > 0


def refusing_options(status: int, said: object, otherwise: Reply) -> Reply:
    """Refuse a request that has stream_options."""
    refusal = sends(json.dumps(said), status=status)

    def reply(exchange: Exchange) -> None:
        (refusal if "stream_options" in exchange.body else otherwise)(exchange)

    return reply


class TestOddText:
    @pytest.mark.parametrize(
        ("pieces", "whole"),
        [(["a\ud83d", "\ude00b"], "a😀b"), (["a\ud83d", "b"], "a�b"), (["\ud83d"], "�"), (["\ude00b"], "�b")],
    )
    def test_is_whole_everywhere(self, asking: Asking, pieces: list[str], whole: str) -> None:
        reply = streams(*map(text, pieces), ENDED)
        found = asking.streamed(reply)
        assert "".join(token["content"] for token in found.of("token")) == whole
        assert found.complete["content"] == found.message["content"] == whole
        assert asking.invoke(reply).json()["output"] == whole

    @pytest.mark.parametrize(
        "value",
        ["123456789012345678901234567890", "NaN", "Infinity", '"\\ud83d"', "1e400", '"\\u0000"', "[[1e999]]"],
    )
    def test_among_a_tools_arguments_goes_on(self, asking: Asking, value: str) -> None:
        arguments = f'{{"initial": 1000, "final": 1250, "note": {value}}}'
        replies = streams(call(arguments), delta({}, "tool_calls")), says("ok")
        found = asking.streamed(*replies, runnable="agent")
        assert found.status == "completed"
        assert found.message["tool_calls"][0]["input"]["final"] == 1250
        assert asking.invoke(*replies, runnable="agent").status_code == 200

    @pytest.mark.parametrize("value", ["123456789012345678901234567890", "NaN"])
    def test_as_a_tools_argument_goes_on(self, asking: Asking, value: str) -> None:
        arguments = f'{{"initial": 1000, "final": {value}}}'
        found = asking.streamed(
            streams(call(arguments), delta({}, "tool_calls")), says("ok"), runnable="agent"
        )
        assert (found.status, found.message["content"]) == ("completed", "ok")

    def test_of_blanks_alone_is_not_told_to_the_model_again(self, asking: Asking) -> None:
        found = asking.streamed(says("\n\n "))
        again = asking.streamed(says("Fine."), thread_id=found.of("start")[0]["thread_id"])
        assert again.status == "completed"
        (asked,) = asking.provider.asked
        assert [message["role"] for message in asked.body["messages"]] == ["system", "user"]

    @pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x85"])
    def test_that_ends_lines_for_python_is_on_one_line(self, asking: Asking, end: str) -> None:
        asking.plan(says(f"a{end}b"))
        with asking.live.client() as client:
            body = client.post("/api/chat/stream", json={"query": "?", "runnable": "chat"}).text
        assert end not in body
        assert f"a{end}b" in [
            json.loads(line[6:])["content"]
            for line in body.splitlines()
            if "token" in line and line.startswith("data")
        ]


class TestThoughts:
    def test_are_no_part_of_the_answer(self, asking: Asking) -> None:
        reply = streams(
            delta({"reasoning_content": "Hm, "}), delta({"reasoning_content": "so."}), text("42"), ENDED
        )
        found = asking.streamed(reply)
        assert found.complete["content"] == found.message["content"] == "42"
        assert asking.invoke(reply).json()["output"] == "42"
