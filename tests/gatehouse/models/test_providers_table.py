"""Every provider's peculiarities, read by LangChain's package for it and judged: see provider_scripts.py."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import add_ai_message_chunks
from provider_scripts import PECULIARITIES, page
from provider_wires import Peculiarity

from gatehouse.models.errors import ModelFailed
from gatehouse.models.guarded.calls import Candidate, Patience
from gatehouse.models.guarded.circuit import Circuit
from gatehouse.models.guarded.model import GuardedChatModel
from gatehouse.models.http import open_model_http
from gatehouse.models.judged.judging import finish_reason_of
from gatehouse.models.judged.usage_reports import ESTIMATED
from gatehouse.problems.models import problem_of

KEY = "of-nobody"
# imported when one is asked: all of them take every worker that collects this module two seconds
MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "openai": ("langchain_openai", "ChatOpenAI", {"stream_usage": True}),
    "responses": ("langchain_openai", "ChatOpenAI", {"use_responses_api": True}),
    "mistral": ("langchain_mistralai", "ChatMistralAI", {}),
    "openrouter": ("langchain_openrouter", "ChatOpenRouter", {}),
    "anthropic": ("langchain_anthropic", "ChatAnthropic", {}),
    "ollama": ("langchain_ollama", "ChatOllama", {}),
}


class Answering(BaseHTTPRequestHandler):
    """Answers whatever is asked with the server's `next`."""

    server: "Sending"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        sent = self.server.next
        body = sent.sent.encode("utf-8", "surrogateescape")
        self.send_response(sent.status)
        self.send_header("content-type", sent.kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


class Sending(ThreadingHTTPServer):
    daemon_threads = True
    next: Peculiarity


@pytest.fixture(scope="module")
def server() -> Iterator[Sending]:
    with Sending(("127.0.0.1", 0), Answering) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def model_of(kind: str, url: str, clients: dict[str, Any]) -> BaseChatModel:
    """Return LangChain's model for a provider."""
    package, name, options = MODELS[kind]
    common: dict[str, Any] = {
        "model": "m-1",
        "base_url": url if kind in ("anthropic", "ollama") else f"{url}/v1",
    }
    if kind != "ollama":
        common |= {"api_key": KEY, "max_retries": 0}
    if package == "langchain_openai":
        common |= clients
    model: BaseChatModel = getattr(import_module(package), name)(**common, **options)
    return model


async def told(model: BaseChatModel, whole: bool) -> str:
    """Return what is told of the model's answer, asked for in one piece or as a stream."""
    guarded = GuardedChatModel.of([Candidate("model", model, Circuit(0, 1.0), Patience(retries=0))])
    try:
        if whole:
            return summary(await guarded.ainvoke("?"))
        return summary(add_ai_message_chunks(*[chunk async for chunk in guarded.astream("?")]))
    except ModelFailed as failure:
        return problem_of(failure).kind


def summary(message: AIMessage) -> str:
    """Return a message's text, how it ended, what it used, its tool calls, and whether it has thoughts."""
    calls = ", ".join(f"{call['name']}({json.dumps(call['args'])})" for call in message.tool_calls)
    beside = message.additional_kwargs.get("reasoning_content")
    thought = beside or any(block["type"] == "reasoning" for block in message.content_blocks)
    parts = [
        str(message.text),
        finish_reason_of(message.response_metadata),
        usage_of(message),
        calls,
        thought and "thought",
    ]
    return " · ".join(part for part in parts if part)


def usage_of(message: AIMessage) -> str:
    used: Any = message.usage_metadata
    if message.response_metadata.get(ESTIMATED):
        return "estimated"
    cached = used.get("input_token_details", {}).get("cache_read")
    thoughts = used.get("output_token_details", {}).get("reasoning")
    details = f" ({cached} cached, {thoughts} thought)" if cached else ""
    return f"{used['input_tokens']}+{used['output_tokens']}{details}"


@pytest.mark.filterwarnings("ignore::UserWarning")  # of the providers' packages
@pytest.mark.parametrize("peculiarity", PECULIARITIES, ids=lambda one: one.name)
async def test_each_is_told_as_the_page_says(server: Sending, peculiarity: Peculiarity) -> None:
    server.next = peculiarity
    async with open_model_http(10, 10.0) as http:
        clients = {"http_async_client": http.asynchronous, "http_client": http.synchronous}
        model = model_of(peculiarity.model, f"http://127.0.0.1:{server.server_port}", clients)
        async with asyncio.timeout(20):
            assert await told(model, peculiarity.whole) == peculiarity.told


def test_the_page_says_what_is_tested() -> None:
    assert Path("docs/providers.md").read_text() == page()
