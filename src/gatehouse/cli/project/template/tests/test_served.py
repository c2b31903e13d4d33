"""What is served, asked over HTTP."""

import json

import httpx

from chains.ask import OPENING
from chains.registry import REGISTRY

MONDAY = '[tool opening_hours {"day": "monday"}]'


def answer(client: httpx.Client, runnable: str, query: str) -> str:
    asked = client.post("/api/chat", json={"query": query, "runnable": runnable})
    return str(asked.raise_for_status().json()["response"])


def test_everything_in_the_registry_is_offered(alice: httpx.Client) -> None:
    offered = alice.get("/api/runnables").raise_for_status().json()["items"]
    assert [item["path"] for item in offered] == [entry.path for entry in REGISTRY]


def test_ask_answers_in_our_own_words(alice: httpx.Client) -> None:
    assert answer(alice, "ask", "[say Good morning.]") == f"{OPENING}Good morning."


def test_ask_streams(alice: httpx.Client) -> None:
    with alice.stream("POST", "/ask/stream", json={"input": {"input": "[tokens 3]"}}) as stream:
        said = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith('data: "')]
    assert list(filter(None, said)) == [f"{OPENING}t1", " t2", " t3"]


def test_the_desk_tells_each_caller_of_their_own_office(alice: httpx.Client, bob: httpx.Client) -> None:
    assert "9 to 17" in answer(alice, "desk", MONDAY)
    assert "closed" in answer(bob, "desk", MONDAY)


def test_nobody_is_answered_without_a_credential(alice: httpx.Client) -> None:
    assert httpx.post(f"{alice.base_url}/api/chat", json={"query": "Hello"}).status_code == 401
