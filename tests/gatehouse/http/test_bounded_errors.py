"""An answer to a faulty request is never larger than the request by more than a page."""

import json
from typing import Any

import httpx
import pytest
from live_app import LiveApp

from gatehouse.problems.faults import MOST_TOLD

MILLION = 900_000  # bytes: what a body may have, nearly
PAGE = 8_192

KEYS = {f"k{n}": n for n in range(60_000)}
BODIES: dict[str, tuple[str, Any]] = {
    "batch of bad configs": ("/chat/batch", {"inputs": [], "config": [1] * 300_000}),
    "batch of bad inputs": ("/chat/batch", {"inputs": [1] * 300_000}),
    "batch of one config, many inputs": (
        "/chat/batch",
        {"inputs": [{}] * 32, "config": [{"configurable": 1}] * 32},
    ),
    "bad filters": ("/chat/stream_events", {"input": {"input": "x"}, "include_names": [1] * 300_000}),
    "long key where a fault is": ("/api/chat", {"query": "x", "k" * 500_000: 1}),
    "unknown keys": ("/api/chat", {"query": "x", **KEYS}),
    "unknown keys of a thread": ("/api/threads", KEYS),
    "unknown keys of a sign-in": ("/auth/session", KEYS),
    "messages that are none": ("/messages/invoke", {"input": {"messages": [1] * 300_000}}),
}


@pytest.mark.parametrize("name", BODIES)
def test_of_a_large_request_is_small(shared: LiveApp, name: str) -> None:
    path, body = BODIES[name]
    text = json.dumps(body, separators=(",", ":"))
    assert len(text) < MILLION
    with shared.client() as client:
        answer = client.post(path, content=text, headers={"content-type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert len(answer.content) < PAGE
    assert len(answer.json().get("errors", [])) <= MOST_TOLD


def test_of_twenty_faults_and_one_more_tells_twenty(shared: LiveApp) -> None:
    with shared.client() as client:
        unknown = {f"k{number}": number for number in range(MOST_TOLD + 1)}
        answer = client.post("/api/chat", json={"query": "x", **unknown})
    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert len(answer.json()["errors"]) == MOST_TOLD
