"""What is asked of no runnable in particular: the default entry answers it, whatever wire it came over.

The question is about the caller's portfolio, and has to reach the agent's tools.
"""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from live_app import LiveApp, bearer, serving
from probe_runnables import Endless, probes
from sse_frames import frames_in
from websockets.sync.client import connect

QUESTION = "How is my portfolio doing? [tool list_holdings {}]"


@pytest.fixture
def alice(shared: LiveApp) -> Any:
    with shared.client(bearer(portfolio_id="P-1001")) as client:
        yield client


def runnable_of(client: httpx.Client, thread_id: str) -> str:
    return str(client.get(f"/api/threads/{thread_id}").json()["runnable"])


def test_json_is_the_agent_s_answer(alice: httpx.Client) -> None:
    thread_id = alice.post("/api/chat", json={"query": QUESTION}).json()["thread_id"]
    _, answer = alice.get(f"/api/threads/{thread_id}/messages").json()["items"]
    assert [call["tool"] for call in answer["tool_calls"]] == ["list_holdings"]
    assert runnable_of(alice, thread_id) == "agent"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_typed_events_tell_of_the_tool(alice: httpx.Client, method: str) -> None:
    where: dict[str, Any] = (
        {"params": {"query": QUESTION}} if method == "GET" else {"json": {"query": QUESTION}}
    )
    frames = frames_in(alice.request(method, "/api/chat/stream", **where).text)
    assert frames[0].data["runnable"] == "agent"
    assert "tool_end" in [frame.data["type"] for frame in frames]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_plain_tokens_are_of_the_agent(alice: httpx.Client, method: str) -> None:
    where: dict[str, Any] = (
        {"params": {"query": QUESTION}} if method == "GET" else {"json": {"query": QUESTION}}
    )
    response = alice.request(method, "/api/stream", **where)
    run = alice.get(f"/api/runs/{response.headers['x-run-id']}").json()
    assert run["runnable"] == "agent"


def test_the_websocket_s_is_the_agent(shared: LiveApp) -> None:
    url = f"ws://127.0.0.1:{shared.port}/ws/chat/?events=run"
    with connect(url, additional_headers=bearer(portfolio_id="P-1001"), proxy=None) as socket:
        socket.send(json.dumps({"message": QUESTION}))
        seen = []
        while "end" not in seen:
            seen.append(json.loads(socket.recv(10))["type"])
    assert "tool_start" in seen


def test_a_thread_without_a_runnable_is_the_agent_s(alice: httpx.Client) -> None:
    assert alice.post("/api/threads", json={}).json()["runnable"] == "agent"


def test_clients_that_let_a_person_choose_are_told(shared: LiveApp) -> None:
    with shared.client() as client:
        items = client.get("/api/runnables").json()["items"]
        assert [item["name"] for item in items if item["default"]] == ["agent"]
    with shared.client(bearer(scopes=["runnable:summarize", "runnable:chat"])) as client:
        items = client.get("/api/runnables").json()["items"]
        assert [item["name"] for item in items if item["default"]] == ["chat"]


def test_who_may_not_use_the_default_is_answered_by_the_first_they_may(shared: LiveApp) -> None:
    with shared.client(bearer(scopes=["runnable:chat"])) as client:
        thread_id = client.post("/api/chat", json={"query": "[say hello]"}).json()["thread_id"]
        assert runnable_of(client, thread_id) == "chat"
    with shared.client(bearer(scopes=["usage:read"])) as client:
        refused = client.post("/api/chat", json={"query": "[say hello]"})
    assert (refused.status_code, refused.json()["scope"]) == (403, "runnable:agent")


def test_a_tenant_that_is_not_offered_the_default_has_the_first_of_its_list(tmp_path: Path) -> None:
    lists = {"acme": ["summarize", "identity"], "*": ["*"]}
    with serving(tmp_path, probes(Endless()), tenant_runnables=lists) as live, live.client() as client:
        assert runnable_of(client, client.post("/api/threads", json={}).json()["id"]) == "summarize"
