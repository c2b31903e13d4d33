"""Scopes for a user's own data: what an API key that was made for one runnable may not do."""

from collections.abc import Callable

import httpx
import pytest
from guarded_server import Guarded

from gatehouse.identity.principal import OWN_DATA, Principal

NARROW = ("runnable:chat",)
Call = Callable[[httpx.Client, str, str], httpx.Response]

CALLS: dict[str, tuple[str, Call]] = {
    "list threads": ("threads:read", lambda client, _thread, _run: client.get("/api/threads")),
    "read a thread": ("threads:read", lambda client, thread, _run: client.get(f"/api/threads/{thread}")),
    "read messages": (
        "threads:read",
        lambda client, thread, _run: client.get(f"/api/threads/{thread}/messages"),
    ),
    "begin a thread": ("threads:write", lambda client, *_: client.post("/api/threads", json={})),
    "rename a thread": (
        "threads:write",
        lambda client, thread, _run: client.patch(f"/api/threads/{thread}", json={"title": "x"}),
    ),
    "go on with a thread": (
        "threads:write",
        lambda client, thread, _run: client.post(
            "/api/chat", json={"query": "[say hello]", "thread_id": thread, "runnable": "chat"}
        ),
    ),
    "read a run": ("runs:read", lambda client, _thread, run: client.get(f"/api/runs/{run}")),
    "follow a run": ("runs:read", lambda client, _thread, run: client.get(f"/api/runs/{run}/stream")),
    "stop a run": ("runs:write", lambda client, _thread, run: client.post(f"/api/runs/{run}/cancel")),
    "list feedback": (
        "threads:read",
        lambda client, thread, _run: client.get("/api/feedback", params={"thread_id": thread}),
    ),
    "give feedback": (
        "runs:write",
        lambda client, _thread, run: client.put(f"/api/feedback/{run}", json={"score": "up"}),
    ),
    "withdraw feedback": (
        "runs:write",
        lambda client, _thread, run: (
            client.put(f"/api/feedback/{run}", json={"score": "up"}),
            client.delete(f"/api/feedback/{run}"),
        )[1],
    ),
    "list files": ("threads:read", lambda client, *_: client.get("/api/attachments")),
    "go on with a chat of OpenAI's": (
        "threads:write",
        lambda client, thread, _run: client.post(
            "/v1/chat/completions",
            json={
                "model": "chat",
                "messages": [{"role": "user", "content": "[say hello]"}],
                "metadata": {"thread_id": thread},
            },
        ),
    ),
    "delete a thread": (
        "threads:write",
        lambda client, thread, _run: client.delete(f"/api/threads/{thread}"),
    ),
}


def begun(client: httpx.Client) -> tuple[str, str]:
    """Return a thread and a run of whoever the client is."""
    answer = client.post("/api/chat", json={"query": "[say hello]", "runnable": "chat"}).raise_for_status()
    return answer.json()["thread_id"], answer.json()["run_id"]


def test_a_key_finds_no_run_of_another_by_what_began_it(guarded: Guarded) -> None:
    question = {"query": "[say hello]", "runnable": "chat"}
    again = {"idempotency-key": "of-a-person-whom-it-speaks-for"}
    with guarded.client(authorization=guarded.bearer()) as whole:
        began = whole.post("/api/chat", json=question, headers=again).raise_for_status().json()
    with guarded.client(**{"x-api-key": guarded.api_key(NARROW)}) as narrow:
        assert narrow.post("/api/chat", json=question, headers=again).status_code == 403
    with guarded.client(**{"x-api-key": guarded.api_key((*NARROW, "runs:read"))}) as fitting:
        found = fitting.post("/api/chat", json=question, headers=again).raise_for_status().json()
    assert found["run_id"] == began["run_id"]


@pytest.mark.parametrize("path", ["/api/chat", "/api/ui/agent/chat"])
def test_a_key_asks_about_a_file_that_it_may_read(guarded: Guarded, path: str) -> None:
    """What a model is shown it repeats, and the file is the new thread's from then on."""
    narrow = ("runnable:agent",)
    with guarded.client(authorization=guarded.bearer()) as whole:
        sent = whole.post("/api/attachments", files={"file": ("a.txt", b"the hidden word")})
        file = sent.raise_for_status().json()["id"]
    said = {"id": file, "messages": [{"role": "user", "parts": [{"type": "text", "text": "[say hello]"}]}]}
    question = {"query": "[say hello]", "runnable": "agent"} if path == "/api/chat" else said
    for scopes, status in ((narrow, 403), ((*narrow, "threads:read"), 200)):
        with guarded.client(**{"x-api-key": guarded.api_key(scopes)}) as client:
            assert client.post(path, json={**question, "attachments": [file]}).status_code == status


def test_a_key_that_reads_no_threads_asks_about_the_files_of_the_one_it_goes_on_with(
    guarded: Guarded,
) -> None:
    with guarded.client(authorization=guarded.bearer()) as whole:
        sent = whole.post("/api/attachments", files={"file": ("a.txt", b"the hidden word")})
        question = {"query": "[say hello]", "attachments": [sent.raise_for_status().json()["id"]]}
        first = whole.post("/api/chat", json={**question, "runnable": "agent"}).raise_for_status().json()
        other = whole.post("/api/threads", json={"runnable": "agent"}).raise_for_status().json()
    scopes = ("runnable:agent", "threads:write")
    with guarded.client(**{"x-api-key": guarded.api_key(scopes)}) as client:
        for thread, status in ((other["id"], 403), (first["thread_id"], 200)):
            asked = client.post("/api/chat", json={**question, "thread_id": thread})
            assert asked.status_code == status, asked.text


@pytest.mark.parametrize("call", CALLS)
def test_a_key_needs_the_scope(guarded: Guarded, call: str) -> None:
    scope, send = CALLS[call]
    with guarded.client(authorization=guarded.bearer()) as whole:
        thread, run = begun(whole)
    with guarded.client(**{"x-api-key": guarded.api_key(NARROW)}) as narrow:
        refused = send(narrow, thread, run)
    assert refused.status_code == 403
    assert f"the scope {scope}" in refused.text  # in the form that the wire's errors have
    with guarded.client(**{"x-api-key": guarded.api_key((*NARROW, scope))}) as fitting:
        assert send(fitting, thread, run).status_code in range(200, 300)


def test_a_key_reads_and_stops_what_it_has_begun(guarded: Guarded) -> None:
    with guarded.client(**{"x-api-key": guarded.api_key(NARROW)}) as client:
        _, run = begun(client)
        assert client.get(f"/api/runs/{run}").status_code == 200
        assert client.get(f"/api/runs/{run}/stream").status_code == 200
        assert client.post(f"/api/runs/{run}/cancel").status_code == 202
        assert client.put(f"/api/feedback/{run}", json={"score": "up"}).status_code == 200
        assert client.delete(f"/api/feedback/{run}").status_code == 204


def test_a_session_has_no_more_than_its_key(guarded: Guarded) -> None:
    with guarded.client(origin=guarded.server.url) as client:
        client.post("/auth/session", json={"credential": guarded.api_key(NARROW)}).raise_for_status()
        assert client.get("/api/threads").status_code == 403


def test_a_token_has_all_unless_it_names_some(guarded: Guarded) -> None:
    for scopes, status in ((NARROW, 200), ((*NARROW, "runs:read"), 403)):
        with guarded.client(authorization=guarded.bearer(scopes=scopes)) as client:
            assert client.get("/api/threads").status_code == status


@pytest.mark.parametrize("scope", sorted(OWN_DATA))
def test_a_principal(scope: str) -> None:
    key = Principal("acme", "alice", "Alice", frozenset(NARROW), "api_key", "k")
    assert not key.may(scope)
    assert Principal("acme", "alice", "Alice", frozenset({scope}), "api_key", "k").may(scope)
    assert Principal("acme", "alice", "Alice", frozenset({"*"}), "api_key", "k").may(scope)
    assert Principal("acme", "alice", "Alice", frozenset(), "jwt", "t").may(scope)
    assert not Principal("acme", "alice", "Alice", frozenset(), "jwt", "t").may("keys:admin")
