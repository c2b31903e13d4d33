"""Editing a question and asking it again, over HTTP: a run each, whose branch is shown; others can be chosen."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from live_app import LiveApp, bearer
from sse_frames import frames_in

UNKNOWN = "01a1fc96-0000-7000-8000-000000000000"


@pytest.fixture
def client(shared: LiveApp) -> Iterator[httpx.Client]:
    with shared.client() as client:
        yield client


@pytest.fixture
def thread_id(client: httpx.Client) -> str:
    """A thread in which two questions were answered."""
    first = client.post("/api/chat", json={"query": "[say one]", "runnable": "chat"}).json()
    client.post("/api/chat", json={"query": "[say two]", "thread_id": first["thread_id"]})
    return str(first["thread_id"])


def messages(client: httpx.Client, thread_id: str) -> list[dict[str, Any]]:
    return list(client.get(f"/api/threads/{thread_id}/messages").json()["items"])


def answers(client: httpx.Client, thread_id: str) -> list[str]:
    return [message["content"] for message in messages(client, thread_id) if message["role"] == "ai"]


def forked(client: httpx.Client, thread_id: str, message_id: str, **body: Any) -> dict[str, Any]:
    """Fork, wait for the end of the run, and return it."""
    response = client.post(f"/api/threads/{thread_id}/fork", json={"message_id": message_id, **body})
    assert response.status_code == 202, response.text
    run = response.json()
    assert frames_in(client.get(f"/api/runs/{run['run_id']}/stream").text)[-1].data["status"] == "completed"
    return dict(run)


class TestFork:
    def test_edits_a_question(self, client: httpx.Client, thread_id: str) -> None:
        second = messages(client, thread_id)[2]["id"]
        run = forked(client, thread_id, second, query="[say three]")
        assert (run["thread_id"], run["runnable"]) == (thread_id, "chat")
        assert answers(client, thread_id) == ["one", "three"]

    @pytest.mark.parametrize("place", [2, 3])
    def test_asks_again_from_a_question_or_its_answer(
        self, client: httpx.Client, thread_id: str, place: int
    ) -> None:
        forked(client, thread_id, messages(client, thread_id)[place]["id"])
        shown = messages(client, thread_id)
        assert [message["content"] for message in shown] == ["[say one]", "one", "[say two]", "two"]
        assert len(shown[2]["branches"]) == 2

    def test_is_answered_by_another_runnable(self, client: httpx.Client, thread_id: str) -> None:
        run = forked(client, thread_id, messages(client, thread_id)[2]["id"], runnable="agent")
        assert run["runnable"] == "agent"

    def test_with_a_key_it_happens_once(self, client: httpx.Client, thread_id: str) -> None:
        body = {"message_id": messages(client, thread_id)[2]["id"], "query": "[say three]"}
        key = {"idempotency-key": str(uuid4())}
        path = f"/api/threads/{thread_id}/fork"
        runs = {client.post(path, json=body, headers=key).json()["run_id"] for _ in range(2)}
        assert len(runs) == 1
        asked_otherwise = {"query": "[say three]", "thread_id": thread_id}
        assert client.post("/api/chat", json=asked_otherwise, headers=key).status_code == 422

    def test_asks_again_and_edits_an_input_that_is_no_text(self, client: httpx.Client) -> None:
        given = {"input": {"symbols": ["AAPL"], "share": 0.5}}
        first = client.post("/api/chat", json={"input": given, "runnable": "anything"}).json()
        thread_id = str(first["thread_id"])
        question = messages(client, thread_id)[0]
        assert question["value"] == given
        forked(client, thread_id, question["id"])
        assert json.loads(answers(client, thread_id)[0]) == given["input"]
        forked(client, thread_id, question["id"], input={"input": 5})
        assert answers(client, thread_id) == ["5"]
        assert messages(client, thread_id)[0]["value"] == {"input": 5}

    def test_waits_its_turn(self, client: httpx.Client, thread_id: str) -> None:
        second = messages(client, thread_id)[2]["id"]
        path = f"/api/threads/{thread_id}/fork"
        first = client.post(path, json={"message_id": second, "query": "[delay 0.2][tokens 200]"}).json()
        refused = client.post(path, json={"message_id": second})
        assert (refused.status_code, refused.json()["run_id"]) == (409, first["run_id"])
        switched = client.put(f"/api/threads/{thread_id}/branch", json={"message_id": second})
        assert (switched.status_code, switched.json()["run_id"]) == (409, first["run_id"])
        client.post(f"/api/runs/{first['run_id']}/cancel")

    def test_wants_the_runnable_s_scope(self, shared: LiveApp, client: httpx.Client, thread_id: str) -> None:
        second = messages(client, thread_id)[2]["id"]
        with shared.client(bearer(scopes=["runnable:agent"])) as weak:
            response = weak.post(f"/api/threads/{thread_id}/fork", json={"message_id": second})
        assert (response.status_code, response.json()["scope"]) == (403, "runnable:chat")

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            ({}, 422),
            ({"message_id": "x" * 37}, 422),
            ({"message_id": UNKNOWN, "query": ""}, 422),
            ({"message_id": UNKNOWN, "role": "ai"}, 422),
            ({"message_id": UNKNOWN, "query": "x", "input": {"input": "x"}}, 422),
            ({"message_id": UNKNOWN}, 404),
        ],
    )
    def test_a_bad_one_is_refused(
        self, client: httpx.Client, thread_id: str, body: dict[str, Any], status: int
    ) -> None:
        assert client.post(f"/api/threads/{thread_id}/fork", json=body).status_code == status
        assert answers(client, thread_id) == ["one", "two"]

    def test_another_s_thread_is_a_404(self, shared: LiveApp, client: httpx.Client, thread_id: str) -> None:
        second = messages(client, thread_id)[2]["id"]
        with shared.client(bearer("bob", "acme")) as bob:
            assert bob.post(f"/api/threads/{thread_id}/fork", json={"message_id": second}).status_code == 404
            body = {"message_id": second}
            assert bob.put(f"/api/threads/{thread_id}/branch", json=body).status_code == 404


class TestBranch:
    def test_is_switched_to_and_gone_on_with(self, client: httpx.Client, thread_id: str) -> None:
        second = messages(client, thread_id)[2]["id"]
        forked(client, thread_id, second, query="[say three]")
        switched = client.put(f"/api/threads/{thread_id}/branch", json={"message_id": second})
        assert (switched.status_code, switched.json()["id"]) == (200, thread_id)
        assert answers(client, thread_id) == ["one", "two"]
        client.post("/api/chat", json={"query": "[say four]", "thread_id": thread_id})
        assert answers(client, thread_id) == ["one", "two", "four"]
