"""What LangServe answers with a 500, or takes in, is a problem here, and nothing of it runs."""

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langchain_core.runnables import RunnableLambda
from live_app import LiveApp, Serve, bearer
from probe_runnables import Conversation
from pydantic import BaseModel

from gatehouse.problems.errors import InvalidInput
from gatehouse.registry.checked import checked
from gatehouse.registry.entry import Entry
from gatehouse.registry.taking import taken
from gatehouse.wires.langserve.bodies import MAX_DEPTH, walk

JSON = {"content-type": "application/json"}
ONE = ("invoke", "stream", "stream_events", "stream_log")
ENDPOINTS = (*ONE, "batch")
FINE = {"input": "x"}


def nested(depth: int) -> bytes:
    return b"[" * depth + b"1" + b"]" * depth


# the text of an input, and the status that it is answered with
NO_JSON = {
    "empty": b"",
    "half": b'{"input": ',
    "bad UTF-8": b'"\xff\xfe"',
    "an encoded surrogate": b'"\xed\xa0\x80"',
    "a lone surrogate": rb'"\ud800"',
    "surrogates in the wrong order": rb'"\udc00\ud800"',
    "NaN": b"NaN",
    "Infinity": b"-Infinity",
    "1e400": b"1e400",
    "an integer of 5,000 digits": b"9" * 5000,
    "JSON nested 100,000 deep": nested(100_000),
}
BAD_ONE: dict[str, Any] = {
    "a number": 5,
    "a list": [],
    "a string": "abc",
    "no input": {},
    "input null": {"input": None},
    "input of another type": {"input": 5},
    "an empty input": {"input": {"input": ""}},
    "a field of another type": {"input": {"input": {"a": 1}}},
    "a text that is too long": {"input": {"input": "x" * 100_001}},
    "config null": {"input": FINE, "config": None},
    "a list of configs": {"input": FINE, "config": []},
    "config a string": {"input": FINE, "config": "x"},
    "configurable null": {"input": FINE, "config": {"configurable": None}},
    "configurable a string": {"input": FINE, "config": {"configurable": "x"}},
    "thread_id a number": {"input": FINE, "config": {"configurable": {"thread_id": 5}}},
    "a filter of another type": {"input": FINE, "include_names": "x"},
}
BAD_BATCH: dict[str, Any] = {
    "a list": [],
    "no inputs": {},
    "inputs a number": {"inputs": 5},
    "inputs a string": {"inputs": "abc"},  # LangServe runs it as three inputs
    "inputs null": {"inputs": None},
    "inputs a dict": {"inputs": FINE},
    "one invalid item": {"inputs": [FINE, {"input": 5}]},
    "an item null": {"inputs": [FINE, None]},
    "config null": {"inputs": [FINE], "config": None},
    "too few configs": {"inputs": [FINE, FINE], "config": [{}]},
    "too many configs": {"inputs": [FINE], "config": [{}, {}]},
    "a config null": {"inputs": [FINE], "config": [None]},
    "33 inputs": {"inputs": [FINE] * 33},
    "5,000 inputs": {"inputs": [FINE] * 5000},
}
MESSAGES: dict[str, Any] = {
    "no type": {"role": "user"},
    "the role of an assistant": {"role": "assistant", "content": "x"},
    "a system message": {"type": "system", "content": "x"},
    "an AI message": {"type": "ai", "content": "x"},
    "an AI message with a tool call": {
        "type": "ai",
        "content": "",
        "tool_calls": [{"name": "f", "args": {}, "id": "1"}],
    },
    "a chunk of an AI message": {"type": "AIMessageChunk", "content": "x"},
    "a tool message": {"type": "tool", "content": "x", "tool_call_id": "1"},
    "a tool message without its call": {"type": "tool", "content": "x"},
    "a function message": {"type": "function", "name": "f", "content": "x"},
    "a chat message": {"type": "chat", "role": "system", "content": "x"},
    "a removal": {"type": "remove", "id": "1", "content": ""},
    "an unknown type": {"type": "x", "content": "x"},
    "a pair": ["system", "x"],
    "null": None,
}
CONSTRUCTOR = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain_core", "messages", "HumanMessage"],
    "kwargs": {},
}


@pytest.fixture
def client(shared: LiveApp) -> Iterator[httpx.Client]:
    with shared.client() as client:
        yield client


def refused(response: httpx.Response, *statuses: int) -> bool:
    """Tell whether this is a problem with one of these statuses."""
    return (
        response.status_code in statuses
        and response.headers["content-type"] == "application/problem+json"
        and response.json()["status"] == response.status_code
    )


class TestNoJson:
    @pytest.mark.parametrize("case", NO_JSON)
    @pytest.mark.parametrize("path", ["/chat", "/anything"])
    def test_is_a_422(self, client: httpx.Client, path: str, case: str) -> None:
        content = b'{"input": {"input": ' + NO_JSON[case] + b"}}" if case != "empty" else b""
        assert refused(client.post(f"{path}/invoke", content=content, headers=JSON), 422)

    @pytest.mark.parametrize("case", NO_JSON)
    def test_is_a_422_in_a_batch(self, client: httpx.Client, case: str) -> None:
        content = b'{"inputs": [{"input": ' + NO_JSON[case] + b"}]}"
        assert refused(client.post("/anything/batch", content=content, headers=JSON), 422)

    @pytest.mark.parametrize("depth", [MAX_DEPTH, 500])
    def test_deep_json_is_a_422(self, client: httpx.Client, depth: int) -> None:
        content = b'{"input": {"input": ' + nested(depth) + b"}}"
        assert refused(client.post("/anything/invoke", content=content, headers=JSON), 422)

    def test_json_that_is_not_too_deep_runs(self, client: httpx.Client) -> None:
        content = b'{"input": {"input": ' + nested(MAX_DEPTH - 2) + b"}}"
        response = client.post("/anything/invoke", content=content, headers=JSON)
        assert response.json()["output"] == nested(MAX_DEPTH - 2).decode()


class TestMediaType:
    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    @pytest.mark.parametrize(
        "media_type",
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "json"],
    )
    def test_another_than_json_is_a_415(self, client: httpx.Client, endpoint: str, media_type: str) -> None:
        content = b'{"inputs": [{"input": "x"}], "input": {"input": "x"}}'
        headers = {"content-type": media_type}
        assert refused(client.post(f"/chat/{endpoint}", content=content, headers=headers), 415)

    @pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON"])
    def test_parameters_and_case_do_not_matter(self, client: httpx.Client, media_type: str) -> None:
        headers = {"content-type": media_type}
        response = client.post("/chat/invoke", content=b'{"input": {"input": "x"}}', headers=headers)
        assert response.status_code == 200


class TestShape:
    @pytest.mark.parametrize("endpoint", ONE)
    @pytest.mark.parametrize("case", BAD_ONE)
    def test_a_bad_body_is_a_422(self, client: httpx.Client, endpoint: str, case: str) -> None:
        assert refused(client.post(f"/chat/{endpoint}", json=BAD_ONE[case]), 422)

    @pytest.mark.parametrize("case", BAD_BATCH)
    def test_a_bad_batch_is_a_422(self, client: httpx.Client, case: str) -> None:
        assert refused(client.post("/chat/batch", json=BAD_BATCH[case]), 422)

    def test_the_faulty_fields_are_named_without_their_values(self, client: httpx.Client) -> None:
        response = client.post("/chat/invoke", json={"input": {"input": 8_341_905}})
        assert response.json()["errors"] == [
            {"loc": ["input", "input"], "msg": "Input should be a valid string", "type": "string_type"}
        ]
        assert "8341905" not in response.text

    def test_an_empty_batch_has_no_outputs(self, client: httpx.Client) -> None:
        assert client.post("/chat/batch", json={"inputs": []}).json()["output"] == []

    def test_32_inputs_run(self, client: httpx.Client) -> None:
        inputs = [{"input": f"[say {number}]"} for number in range(32)]
        assert client.post("/chat/batch", json={"inputs": inputs}).json()["output"] == [
            str(number) for number in range(32)
        ]

    @pytest.mark.parametrize(
        "limit", [{"max_concurrency": -1}, {"max_concurrency": 0}, {"recursion_limit": -1}]
    )
    def test_limits_of_a_client_are_not_taken(self, client: httpx.Client, limit: dict[str, int]) -> None:
        """LangServe passes them on: a 500, or a batch that never ends."""
        response = client.post("/chat/batch", json={"inputs": [FINE, FINE], "config": limit})
        assert response.status_code == 200

    def test_a_thread_that_is_not_the_caller_s_is_a_404(self, client: httpx.Client) -> None:
        config = {"configurable": {"thread_id": "01a1fc96-0000-7000-8000-000000000000"}}
        assert refused(client.post("/chat/invoke", json={"input": FINE, "config": config}), 404)
        assert refused(client.post("/chat/stream", json={"input": FINE, "config": config}), 404)
        batch = {"inputs": [FINE, FINE], "config": [{}, config]}
        assert refused(client.post("/chat/batch", json=batch), 404)


class TestMessages:
    @pytest.mark.parametrize("endpoint", ENDPOINTS)
    def test_human_ones_are_taken(self, client: httpx.Client, endpoint: str) -> None:
        message = {"type": "human", "content": "hello"}
        one = {"messages": [message]}
        body = {"inputs": [one]} if endpoint == "batch" else {"input": one}
        response = client.post(f"/messages/{endpoint}", json=body)
        assert response.status_code == 200
        assert "hello" in response.text
        assert "error" not in response.text

    @pytest.mark.parametrize("endpoint", ["invoke", "batch", "stream"])
    @pytest.mark.parametrize("case", MESSAGES)
    def test_others_are_a_422(self, client: httpx.Client, endpoint: str, case: str) -> None:
        one = {"messages": [{"type": "human", "content": "x"}, MESSAGES[case]]}
        body = {"inputs": [one]} if endpoint == "batch" else {"input": one}
        assert refused(client.post(f"/messages/{endpoint}", json=body), 422)


class TestSerialisedObjects:
    @pytest.mark.parametrize("endpoint", ["invoke", "batch", "stream_log"])
    @pytest.mark.parametrize(
        "value",
        [CONSTRUCTOR, [CONSTRUCTOR], {"a": [{"b": CONSTRUCTOR}]}, {"lc": None}, {"lc": {}}],
        ids=["itself", "in a list", "deep inside", "lc null", "lc a dict"],
    )
    def test_an_lc_key_anywhere_is_a_422(self, client: httpx.Client, endpoint: str, value: Any) -> None:
        one = {"input": value}
        body = {"inputs": [one]} if endpoint == "batch" else {"input": one}
        response = client.post(f"/anything/{endpoint}", json=body)
        assert refused(response, 422)
        assert "lc" in response.json()["detail"]

    def test_one_in_the_config_is_refused_too(self, client: httpx.Client) -> None:
        body = {"input": FINE, "config": {"callbacks": [CONSTRUCTOR]}}
        assert refused(client.post("/anything/invoke", json=body), 422)


class TestSize:
    def test_a_body_over_the_limit_is_a_413(self, client: httpx.Client) -> None:
        content = b'{"input": {"input": "' + b"x" * 2_000_000 + b'"}}'
        response = client.post("/chat/invoke", content=content, headers=JSON)
        assert refused(response, 413)
        assert response.headers["connection"] == "close"

    def test_one_without_a_length_too(self, client: httpx.Client) -> None:
        response = client.post("/chat/invoke", content=iter([b"x" * 65_536] * 30), headers=JSON)
        assert "content-length" not in response.request.headers
        assert refused(response, 413)

    def test_the_limit_is_a_setting(self, serve: Serve) -> None:
        with serve("/chat", max_body_bytes=100).client() as client:
            body = b'{"input": {"input": "x"}}'
            assert client.post("/chat/invoke", content=body.ljust(100), headers=JSON).status_code == 200
            assert refused(client.post("/chat/invoke", content=body.ljust(101), headers=JSON), 413)
            assert refused(client.post("/chat/invoke", content=iter([body, b" " * 90]), headers=JSON), 413)

    def test_an_endless_body_is_not_read_for_ever(self, serve: Serve) -> None:
        live = serve("/chat", max_body_bytes=100_000)
        with connected(live) as connection:
            assert seconds_until_reset(connection) < 8
        live.eventually(lambda: not live.requests)


class TestSlowBody:
    def test_is_a_408(self, serve: Serve) -> None:
        live = serve("/chat", body_timeout=0.3)
        with connected(live) as connection:
            connection.sendall(b"5\r\nhello\r\n")
            answer = b""
            while part := connection.recv(4096):
                answer += part
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"application/problem+json" in answer
        live.eventually(lambda: not live.requests)

    def test_a_client_that_leaves_within_its_body_is_let_go(self, serve: Serve) -> None:
        live = serve("/chat")
        with connected(live) as connection:
            live.eventually(lambda: len(live.requests) == 1)
            connection.sendall(b"5\r\nhello\r\n")
        live.eventually(lambda: not live.requests)


def connected(live: LiveApp) -> socket.socket:
    """Return a connection that has sent the head of a request whose body comes in chunks."""
    connection = socket.create_connection(("127.0.0.1", live.port), timeout=10)
    connection.sendall(
        b"POST /chat/invoke HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
        b"transfer-encoding: chunked\r\nauthorization: " + bearer()["authorization"].encode() + b"\r\n\r\n"
    )
    return connection


def seconds_until_reset(connection: socket.socket) -> float:
    """Send chunks until the other side has had enough."""
    began = time.monotonic()
    with contextlib.suppress(OSError):
        while time.monotonic() - began < 10:
            connection.sendall(b"1000\r\n" + b"x" * 4096 + b"\r\n")
    return time.monotonic() - began


class TestWalk:
    def test_meets_every_value_with_its_depth(self) -> None:
        assert sorted(walk({"a": [1, {"b": 2}]}), key=lambda item: (item[1], str(item[0]))) == [
            ({"a": [1, {"b": 2}]}, 0),
            ([1, {"b": 2}], 1),
            (1, 2),
            ({"b": 2}, 2),
            (2, 3),
        ]


class TestCheckInput:
    def test_messages_inside_other_models_are_looked_at(self) -> None:
        class Turn(BaseModel):
            turns: dict[str, tuple[Conversation, ...]]

        entry = Entry("/turns", lambda _: RunnableLambda(str), "Turns.", input_type=Turn)
        served = checked("mine:LIST", [entry]).entries[0]
        human = {"turns": {"first": [{"messages": [{"type": "human", "content": "x"}]}]}}
        taken(served, human)
        human["turns"]["first"][0]["messages"].append({"type": "system", "content": "x"})
        with pytest.raises(InvalidInput, match="human"):
            taken(served, human)
