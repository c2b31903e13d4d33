"""What the run API is asked most is answered on a short way: byte for byte what FastAPI's route sends."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langchain_core.runnables import Runnable, RunnableLambda
from live_app import LiveApp, bearer, serving

from gatehouse import main
from gatehouse.registry.entry import Entry, Parts

CHANGING = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\"duration_ms\":\d+")
JSON = "application/json"


def said(given: dict[str, Any]) -> Any:
    if given["input"] == "fail":
        raise ValueError
    return given


def saying(_parts: Parts) -> Runnable[Any, Any]:
    return RunnableLambda(said)


ENTRIES = [Entry("/said", saying, "Says what it was given.", input_type=dict, output_type=dict, default=True)]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with serving(tmp_path_factory.mktemp("short"), ENTRIES) as live:
        yield live


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    """A server whose every answer goes FastAPI's own way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "SHORT_WAYS", {})
        with serving(tmp_path_factory.mktemp("whole"), ENTRIES) as live:
            yield live


def asked(live: LiveApp, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, set[str]]:
    """Return the status, the body without what differs each time, and the names of the header fields."""
    with httpx.Client(base_url=live.url, headers={**bearer(), "content-type": JSON, **headers}) as client:
        answer = client.post(path, content=body)
    return answer.status_code, CHANGING.sub(b"", answer.content), set(answer.headers) - {"retry-after"}


def said_with(**more: Any) -> bytes:
    return json.dumps({"input": {"input": "Gr\u00fc\u00dfe \u2028 </script>"}, **more}).encode()


REQUESTS: dict[str, tuple[bytes, dict[str, str]]] = {
    "an input": (said_with(), {}),
    "a number of many digits": (said_with(input={"input": 2**70}), {}),
    "what is no number": (b'{"input": {"input": NaN}}', {}),
    "half a character": (b'{"input": {"input": "\\ud800"}}', {}),
    "UTF-16": (said_with().decode().encode("utf-16"), {}),
    "a failure": (said_with(input={"input": "fail"}), {}),
    "an unknown field": (said_with(colour="red"), {}),
    "a value of another type": (said_with(runnable=5), {}),
    "two questions": (said_with(query="a"), {}),
    "no runnable of the name": (said_with(runnable="none"), {}),
    "no thread of the id": (said_with(thread_id="none"), {}),
    "no object": (b"[1]", {}),
    "no JSON": (b"{", {}),
    "nested deeply": (b'{"input": ' + b"[" * 5000 + b"]" * 5000 + b"}", {}),
    "nothing": (b"", {}),
    "another media type": (said_with(), {"content-type": "text/plain"}),
    "a media type of JSON": (said_with(), {"content-type": "application/problem+json"}),
    "a charset": (said_with(), {"content-type": "application/json; charset=utf-8"}),
    "a key": (said_with(), {"idempotency-key": "k"}),
    "a key that is too long": (said_with(), {"idempotency-key": "k" * 201}),
}


@pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream", "/api/stream"])
@pytest.mark.parametrize("name", REQUESTS)
def test_sends_the_same_bytes(short: LiveApp, whole: LiveApp, path: str, name: str) -> None:
    body, headers = REQUESTS[name]
    assert asked(short, path, body, headers) == asked(whole, path, body, headers)
