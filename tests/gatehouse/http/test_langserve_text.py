"""`/stream`, and `/invoke` and `/batch` of text, are answered on a short way: byte for byte what LangServe's own handler sends."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda
from live_app import LiveApp, bearer, serving

from gatehouse.registry.entry import Entry, Parts
from gatehouse.wires.langserve import routes
from gatehouse.wires.langserve.invoking import answers_in_text

ID = re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def said(text: str) -> str:
    if text == "fail":
        raise ValueError(text)
    return text * 2


def untrue(text: str) -> str:
    return len(text)  # type: ignore[return-value]  # what it declares is not what it returns


def saying(_parts: Parts) -> Runnable[Any, Any]:
    return RunnableLambda(said)


async def letters(texts: AsyncIterator[str]) -> AsyncIterator[dict[str, str]]:
    async for text in texts:
        for letter in text:
            if letter == "!":
                raise ValueError(letter)
            yield {"letter": letter}


def spelling(_parts: Parts) -> Runnable[Any, Any]:
    return RunnableGenerator(letters)


def lying(_parts: Parts) -> Runnable[Any, Any]:
    return RunnableLambda(untrue)


ENTRIES = [
    Entry("/said", saying, "Says it twice.", input_type=str, output_type=str),
    Entry("/letters", spelling, "Says each letter.", input_type=str),
    Entry("/untrue", lying, "Says how long it is.", input_type=str, output_type=str),
]


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with serving(tmp_path_factory.mktemp("short"), ENTRIES) as live:
        yield live


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    """A server whose every answer goes LangServe's own way."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(routes, "short_ways", lambda _entry: {})
        with serving(tmp_path_factory.mktemp("whole"), ENTRIES) as live:
            yield live


def asked(live: LiveApp, path: str, body: Any, scopes: str) -> tuple[int, bytes, set[str]]:
    """Return the status, the body without ids, and the names of the header fields."""
    with httpx.Client(base_url=live.url, headers=bearer(scopes=[scopes])) as client:
        answer = client.post(path, json=body)
    return answer.status_code, ID.sub(b"ID", answer.content), set(answer.headers) - {"retry-after"}


BODIES: dict[str, tuple[str, Any]] = {
    "text": ("/said/invoke", {"input": "Gr\u00fc\u00dfe, \u4e16\u754c \U0001f600 \u2028 </script>"}),
    "nothing": ("/said/invoke", {"input": ""}),
    "a config": ("/said/invoke", {"input": "a", "config": {"configurable": {}, "tags": ["t"]}}),
    "another kind of input": ("/said/invoke", {"input": 5}),
    "no input": ("/said/invoke", {"config": {}}),
    "a failure": ("/said/invoke", {"input": "fail"}),
    "what is no text": ("/untrue/invoke", {"input": "abc"}),
    "several": ("/said/batch", {"inputs": ["a", "b", "\u00fc"]}),
    "several configs": ("/said/batch", {"inputs": ["a", "b"], "config": [{}, {}]}),
    "none": ("/said/batch", {"inputs": []}),
    "one that fails": ("/said/batch", {"inputs": ["a", "fail"]}),
    "a stream": ("/letters/stream", {"input": "a\u00fc\u2028b"}),
    "a stream of text": ("/said/stream", {"input": "a"}),
    "a stream of nothing": ("/letters/stream", {"input": ""}),
    "a stream that fails": ("/letters/stream", {"input": "a!"}),
    "a stream of another kind of input": ("/letters/stream", {"input": 5}),
    "a thread that is not there": (
        "/said/invoke",
        {"input": "a", "config": {"configurable": {"thread_id": "x"}}},
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_sends_the_same_bytes(short: LiveApp, whole: LiveApp, name: str) -> None:
    path, body = BODIES[name]
    assert asked(short, path, body, "*") == asked(whole, path, body, "*")


@pytest.mark.parametrize("endpoint", ["invoke", "batch", "stream"])
def test_refuses_whom_the_entry_is_not_for(short: LiveApp, whole: LiveApp, endpoint: str) -> None:
    body = {"inputs": ["a"]} if endpoint == "batch" else {"input": "a"}
    refused = asked(short, f"/said/{endpoint}", body, "runnable:other")
    assert refused[0] == 403
    assert refused == asked(whole, f"/said/{endpoint}", body, "runnable:other")


def test_is_the_way_of_text(short: LiveApp) -> None:
    text = {name for name, entry in short.services.entries.items() if answers_in_text(entry)}
    assert text == {"said", "untrue"}
