"""Images and files in a question, and the requests of user interfaces and proxies, over the wires that people have clients for."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from langchain_core.messages import AnyMessage
from langchain_core.runnables import RunnableLambda
from live_app import LiveApp, serving
from openai_served import client_of

from gatehouse.registry.entry import Entry

PNG = "data:image/png;base64,iVBORw0KGgo="
PDF = "data:application/pdf;base64,JVBERi0="
LINK = "https://files.example/a.pdf"
SEEN = ["text", "image", "file"]


async def seen(messages: list[AnyMessage]) -> str:
    """Say which kinds of blocks the last message has."""
    return json.dumps([block["type"] for block in messages[-1].content_blocks])


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    entry = Entry("/looking", lambda _: RunnableLambda(seen), "Says what it sees.", client_history=True)
    with serving(tmp_path_factory.mktemp("files"), [entry]) as app:
        yield app


@pytest.fixture(scope="module")
def client(live: LiveApp) -> Iterator[openai.OpenAI]:
    with client_of(live) as made:
        yield made


@pytest.fixture(scope="module")
def plain(live: LiveApp) -> Iterator[httpx.Client]:
    with live.client() as made:
        yield made


@pytest.mark.requirement("wires.files")
class TestFiles:
    @pytest.mark.parametrize("named", [{}, {"extra_headers": {"x-thread-id": "with files"}}])
    def test_reach_a_runnable_over_chat(self, client: openai.OpenAI, named: dict[str, Any]) -> None:
        parts: Any = [
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": PNG, "detail": "low"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": PDF}},
        ]
        asked: Any = [{"role": "user", "content": parts}]
        answer = client.chat.completions.create(model="looking", messages=asked, **named)
        assert json.loads(answer.choices[0].message.content or "") == SEEN

    @pytest.mark.parametrize("given", [{"filename": "a.pdf", "file_data": PDF}, {"file_url": LINK}])
    @pytest.mark.parametrize("store", [True, False])
    def test_reach_a_runnable_over_responses(self, client: openai.OpenAI, store: bool, given: Any) -> None:
        parts: Any = [
            {"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": PNG, "detail": "auto"},
            {"type": "input_file", **given},
        ]
        asked: Any = [{"role": "user", "content": parts}]
        answer = client.responses.create(model="looking", input=asked, store=store)
        assert json.loads(answer.output_text) == SEEN

    def test_reach_a_runnable_over_the_ui_stream(self, plain: httpx.Client) -> None:
        parts = [
            {"type": "text", "text": "What is this?"},
            {"type": "file", "mediaType": "image/png", "url": PNG, "filename": "a.png"},
            {"type": "file", "mediaType": "application/pdf", "url": PDF, "filename": "a.pdf"},
        ]
        body = {
            "id": "a chat",
            "messages": [{"id": "m", "role": "user", "parts": parts}],
            "trigger": "submit-message",
        }
        frames = plain.post("/api/ui/looking/chat", json=body).raise_for_status().text.split("\n\n")
        chunks = [json.loads(frame.removeprefix("data: ")) for frame in frames if frame.startswith("data: {")]
        said = "".join(chunk["delta"] for chunk in chunks if chunk["type"] == "text-delta")
        assert json.loads(said) == SEEN


PATH = "/dev/zero"
BLOCK = {"type": "image_url", "image_url": {"url": PATH}}
PATHS: dict[str, Any] = {
    "/api/chat": {"runnable": "looking", "messages": [{"role": "user", "content": [BLOCK]}]},
    "/v1/chat/completions": {"model": "looking", "messages": [{"role": "user", "content": [BLOCK]}]},
    "/v1/responses": {
        "model": "looking",
        "input": [{"role": "user", "content": [{"type": "input_image", "image_url": PATH}]}],
    },
    "/api/ui/looking/chat": {
        "id": "a path",
        "messages": [
            {
                "role": "user",
                "parts": [{"type": "file", "mediaType": "image/png", "url": f"data:;base64,//{PATH}"}],
            }
        ],
    },
    "/looking/invoke": {"input": [{"type": "human", "content": [BLOCK]}]},
    "/looking/stream": {"input": [{"type": "human", "content": [BLOCK]}]},
}


@pytest.mark.parametrize("path", PATHS)
def test_a_file_of_the_server_is_no_file_of_a_question(plain: httpx.Client, path: str) -> None:
    answer = plain.post(path, json=PATHS[path])
    assert answer.status_code == (400 if path.startswith("/v1") else 422)
    assert "content" in answer.text
    assert "base64" in answer.text


@pytest.mark.requirement("openai.parameters")
@pytest.mark.parametrize(
    ("headers", "more"),
    [
        # LibreChat: a custom endpoint with headers of its own, and what its settings send by default
        (
            {"x-thread-id": "5f0c", "x-librechat-user": "u1"},
            {"stream": True, "temperature": 0.8, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0,
             "user": "u1", "stream_options": {"include_usage": True}},
        ),
        # LiteLLM: what a proxy adds to a request of its caller's
        (
            {"x-litellm-call-id": "c1"},
            {"stream": True, "extra_body": {"metadata": {"tags": "a"}}, "max_tokens": 100, "n": 1,
             "stream_options": {"include_usage": True}, "parallel_tool_calls": True},
        ),
    ],
    ids=["LibreChat", "LiteLLM"],
)  # fmt: skip
def test_what_others_send_by_default_is_taken(
    client: openai.OpenAI, headers: dict[str, str], more: dict[str, Any]
) -> None:
    asked: Any = [{"role": "user", "content": "Hi"}]
    *chunks, last = client.chat.completions.create(
        model="looking", messages=asked, extra_headers=headers, **more
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == '["text"]'
    assert last.usage.total_tokens == 0
