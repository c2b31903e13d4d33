"""A provider that fails, and who notices: a server over a provider on loopback, with its usual settings."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.runnables import RunnableLambda
from live_app import LiveApp, bearer
from live_server import free_port
from peculiar_provider import Asking, peculiar, says, sends
from provider_server import Exchange, Reply
from scraped import value

from chains.registry import REGISTRY
from gatehouse import Entry, Parts


def plain(_parts: Parts) -> Any:
    return RunnableLambda(lambda value: f"no model for {value['input']}")


PLAIN = Entry("/plain", plain, "Uses no model.", output_type=str)
POISON = "poison"


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Asking]:
    usual = {"model_breaker_failures": 5, "management_port": free_port()}
    with peculiar(tmp_path, [*REGISTRY, PLAIN], **usual) as server:
        yield server


def poisoned(status: int) -> Reply:
    """Fail on the one input, and answer any other."""

    def reply(exchange: Exchange) -> None:
        failing = POISON in json.dumps(exchange.body["messages"])
        (sends('{"error": {"message": "The server had an error."}}', status=status) if failing else says())(
            exchange
        )

    return reply


def asked(
    live: LiveApp, query: str, user: str = "alice", tenant: str = "acme", runnable: str = "chat"
) -> httpx.Response:
    with live.client(bearer(user, tenant)) as client:
        return client.post("/api/chat", json={"query": query, "runnable": runnable})


def left_alone(live: LiveApp) -> list[str]:
    with live.client() as client:
        return list(client.get("/readyz").json().get("left_alone", []))


@pytest.mark.parametrize("status", [400, 422, 500, 502, 503, 520, 529])
def test_an_input_that_the_provider_fails_on_opens_nothing(asking: Asking, status: int) -> None:
    asking.plan(*[poisoned(status)] * 40)
    for _ in range(6):
        assert asked(asking.live, POISON).status_code >= 500 or status in (400, 422)
    assert left_alone(asking.live) == []
    assert asked(asking.live, "hello", "bob").json()["response"] == "Fine."
    assert asked(asking.live, "hello", "bob", "other").json()["response"] == "Fine."
    assert asked(asking.live, "hello", runnable="plain").json()["response"] == "no model for hello"


def test_nor_for_who_sent_it_where_the_provider_says_nothing_of_an_outage(asking: Asking) -> None:
    asking.plan(*[poisoned(500)] * 40)
    for _ in range(6):
        asked(asking.live, POISON)
    assert asked(asking.live, "hello").json()["response"] == "Fine."


def test_an_outage_that_several_meet_is_told_and_refused_where_the_model_is_used(asking: Asking) -> None:
    known: Any = {"json": {"query": "hello", "runnable": "chat"}, "headers": {"idempotency-key": "before"}}
    with asking.live.client(bearer("carol")) as client:
        began = client.post("/api/chat", **known).json()
    asking.plan(*[sends("{}", status=503)] * 40)
    for user in ("alice", "bob") * 3:
        asked(asking.live, "hello", user)
    assert left_alone(asking.live) == ["vendor/model-7b at " + asking.provider.url.removeprefix("http://")]
    port = f"http://127.0.0.1:{asking.live.settings.management_port}"
    assert value(port, "gatehouse_model_circuit_open", model="vendor/model-7b") == 1
    with asking.live.client(bearer("carol")) as client:
        before = len(asking.provider.asked)
        assert client.post("/api/chat/stream", json={"query": "?", "runnable": "chat"}).status_code == 503
        assert client.post("/agent/stream", json={"input": {"input": "?"}}).status_code == 503
        assert client.post("/api/chat", **known).json() == began  # what was answered is told
        assert len(asking.provider.asked) == before
        assert client.post("/api/chat/stream", json={"query": "?", "runnable": "plain"}).status_code == 200
        assert (
            client.post("/plain/invoke", json={"input": {"input": "x"}}).json()["output"] == "no model for x"
        )
