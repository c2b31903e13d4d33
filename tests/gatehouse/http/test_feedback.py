"""/api/feedback: what a user thinks of an answer, over the whole server."""

import uuid
from typing import Any

import httpx
import pytest
from live_app import LiveApp, bearer


def answered(client: httpx.Client, **more: Any) -> tuple[str, str]:
    """Return the run and the thread of an answer."""
    body = client.post("/api/chat", json={"query": "[say Hello.]", **more}).json()
    return body["run_id"], body["thread_id"]


def listed(client: httpx.Client, thread_id: str) -> list[tuple[str, str]]:
    items = client.get("/api/feedback", params={"thread_id": thread_id}).json()["items"]
    return [(item["score"], item["comment"]) for item in items]


class TestGive:
    def test_is_kept_and_a_later_opinion_replaces_it(self, shared: LiveApp) -> None:
        with shared.client() as client:
            run_id, thread_id = answered(client)
            given = client.put(f"/api/feedback/{run_id}", json={"score": "up"})
            assert given.status_code == 200
            assert given.json() | {"created_at": 0, "updated_at": 0} == {
                "run_id": run_id,
                "thread_id": thread_id,
                "runnable": "agent",
                "score": "up",
                "comment": "",
                "created_at": 0,
                "updated_at": 0,
            }
            later = client.put(f"/api/feedback/{run_id}", json={"score": "down", "comment": " Wrong.\0 "})
            assert later.json()["created_at"] == given.json()["created_at"]
            assert listed(client, thread_id) == [("down", "Wrong.\N{REPLACEMENT CHARACTER}")]

    def test_is_taken_for_a_run_outside_of_threads(self, shared: LiveApp) -> None:
        with shared.client() as client:
            invoked = client.post("/chat/invoke", json={"input": {"input": "[say Hello.]"}})
            given = client.put(f"/api/feedback/{invoked.headers['x-run-id']}", json={"score": "up"})
        assert (given.status_code, given.json()["thread_id"]) == (200, None)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"score": "meh"},
            {"score": 1},
            {"score": "up", "comment": "x" * 4001},
            {"score": "up", "comment": None},
            {"score": "up", "user_id": "bob"},
            [],
        ],
    )
    def test_of_another_shape_is_refused(self, shared: LiveApp, body: Any) -> None:
        with shared.client() as client:
            assert client.put(f"/api/feedback/{uuid.uuid4()}", json=body).status_code == 422

    @pytest.mark.parametrize("run_id", ["x", "1' OR 1=1", "é" * 36, "0" * 10_000])
    def test_on_what_is_no_run_is_refused(self, shared: LiveApp, run_id: str) -> None:
        with shared.client() as client:
            assert client.put(f"/api/feedback/{run_id}", json={"score": "up"}).status_code == 422

    def test_on_a_run_that_never_was_is_not_found(self, shared: LiveApp) -> None:
        with shared.client() as client:
            response = client.put(f"/api/feedback/{uuid.uuid4()}", json={"score": "up"})
        assert response.status_code == 404
        assert response.headers["content-type"] == "application/problem+json"


class TestOthers:
    @pytest.mark.parametrize(("user", "tenant"), [("bob", "acme"), ("alice", "beta")])
    def test_neither_judge_nor_see_nor_withdraw(self, shared: LiveApp, user: str, tenant: str) -> None:
        with shared.client() as client, shared.client(bearer(user, tenant)) as other:
            run_id, thread_id = answered(client)
            assert other.put(f"/api/feedback/{run_id}", json={"score": "down"}).status_code == 404
            client.put(f"/api/feedback/{run_id}", json={"score": "up"})
            assert listed(other, thread_id) == []
            assert other.delete(f"/api/feedback/{run_id}").status_code == 404
            assert listed(client, thread_id) == [("up", "")]


class TestErase:
    def test_takes_the_opinion_back_once(self, shared: LiveApp) -> None:
        with shared.client() as client:
            run_id, thread_id = answered(client)
            client.put(f"/api/feedback/{run_id}", json={"score": "up"})
            assert client.delete(f"/api/feedback/{run_id}").status_code == 204
            assert client.delete(f"/api/feedback/{run_id}").status_code == 404
            assert listed(client, thread_id) == []

    def test_goes_with_the_thread(self, shared: LiveApp) -> None:
        with shared.client() as client:
            run_id, thread_id = answered(client)
            client.put(f"/api/feedback/{run_id}", json={"score": "up"})
            assert client.delete(f"/api/threads/{thread_id}").status_code == 204
            assert listed(client, thread_id) == []
            assert client.put(f"/api/feedback/{run_id}", json={"score": "up"}).status_code == 404
