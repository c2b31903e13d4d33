"""A model provider on loopback: OpenAI's chat completions, and Azure's paths, headers and error bodies.

What it answers next is in `plan`, reply by reply; when that is empty it says hello.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "0123456789abcdef0123456789abcdef"
DEPLOYMENT = "advisor"
API_VERSION = "2024-10-21"
HELLO = ("Hello", " from", " the", " provider")
USAGE = {"prompt_tokens": 11, "completion_tokens": 4, "total_tokens": 15}
SAFE = {"hate": {"filtered": False, "severity": "safe"}}

Json = dict[str, Any]
Reply = Callable[["Exchange"], None]


class Exchange(BaseHTTPRequestHandler):
    """One request, and what a reply may do about it."""

    protocol_version = "HTTP/1.1"
    server: "ProviderServer"
    body: Json

    def do_POST(self) -> None:
        self.body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        address = urlsplit(self.path)
        asked = Asked(address.path, parse_qs(address.query), dict(self.headers), self.body)
        self.server.asked.append(asked)
        refusal = self.server.refusal(asked)
        reply = refusal or (self.server.plan.popleft() if self.server.plan else says(*HELLO))
        try:
            reply(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def answer(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole response."""
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def begin(self) -> None:
        """Send the head of a stream."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def send(self, data: str) -> None:
        """Send one server-sent event."""
        frame = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(frame):x}\r\n".encode() + frame + b"\r\n")

    def chunk(self, delta: Json | None, finish: str | None = None, **more: Any) -> None:
        """Send a chunk of a completion; without a delta, one without choices."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish, "content_filter_results": {}}
        self.send(
            json.dumps(
                {
                    "id": "chatcmpl-1",
                    "object": "chat.completion.chunk",
                    "created": 1,
                    "model": "gpt-4o-2024-08-06",
                    "choices": [] if delta is None else [choice],
                    **more,
                }
            )
        )

    def end(self) -> None:
        """Send the end of a stream."""
        self.send("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def open_stream(self) -> None:
        """Send what comes before the first word: Azure's verdict on the prompt, and the role."""
        self.begin()
        self.chunk(None, prompt_filter_results=[{"prompt_index": 0, "content_filter_results": SAFE}])
        self.chunk({"role": "assistant", "content": ""})

    def close_stream(self, finish: str) -> None:
        self.chunk({}, finish)
        if (self.body.get("stream_options") or {}).get("include_usage"):
            self.chunk(None, usage=USAGE)
        self.end()

    def log_message(self, format: str, *args: Any) -> None: ...


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: Json


class ProviderServer(ThreadingHTTPServer):
    """The provider. `asked` are the requests so far; `over` is set when it is to end."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Exchange)
        self.plan: deque[Reply] = deque()
        self.asked: list[Asked] = []
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def refusal(self, asked: Asked) -> Reply | None:
        """Return what Azure, or OpenAI, says to a wrong key, version or deployment."""
        if asked.path == "/v1/chat/completions":
            known = f"Bearer {KEY}" in asked.headers.values()
            return (
                None if known else fails(401, "invalid_api_key", f"Incorrect API key provided: {KEY[:8]}***.")
            )
        if asked.headers.get("api-key") != KEY:
            return fails(401, "401", "Access denied due to invalid subscription key or wrong API endpoint.")
        if asked.query.get("api-version") != [API_VERSION]:
            return fails(404, "404", "Resource not found")
        if asked.path != f"/openai/deployments/{DEPLOYMENT}/chat/completions":
            return fails(404, "DeploymentNotFound", "The API deployment for this resource does not exist.")
        return None


@contextmanager
def providing() -> Iterator[ProviderServer]:
    """Yield a provider that listens."""
    server = ProviderServer()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def azure_settings(server: ProviderServer, **changes: Any) -> dict[str, Any]:
    """Return Gatehouse's settings that choose it as Azure."""
    return {
        "model": "azure",
        "azure_openai_api_key": KEY,
        "azure_openai_endpoint": server.url,
        "azure_openai_deployment_name": DEPLOYMENT,
        "azure_openai_api_version": API_VERSION,
        **changes,
    }


def says(*words: str, finish: str = "stop") -> Reply:
    """Answer with these words, one a chunk, or all at once if no stream is asked for."""

    def reply(exchange: Exchange) -> None:
        if not exchange.body.get("stream"):
            message = {"role": "assistant", "content": "".join(words)}
            exchange.answer(200, completion(message, finish))
            return
        exchange.open_stream()
        for word in words:
            exchange.chunk({"content": word})
        exchange.close_stream(finish)

    return reply


def calls(tool: str, arguments: Json) -> Reply:
    """Call a tool; the arguments come in two pieces."""

    def reply(exchange: Exchange) -> None:
        text = json.dumps(arguments)
        function = {"name": tool, "arguments": text}
        call = {"index": 0, "id": "call_1", "type": "function", "function": function}
        if not exchange.body.get("stream"):
            message = {"role": "assistant", "content": None, "tool_calls": [call]}
            exchange.answer(200, completion(message, "tool_calls"))
            return
        exchange.open_stream()
        exchange.chunk({"tool_calls": [{**call, "function": {"name": tool, "arguments": ""}}]})
        for piece in (text[:5], text[5:]):
            exchange.chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
        exchange.close_stream("tool_calls")

    return reply


def fails(
    http_status: int, code: str, message: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Reply:
    """Answer with an error body."""
    body = {"error": {"code": code, "message": message, **more}}
    return lambda exchange: exchange.answer(http_status, body, headers)


def filters_the_prompt() -> Reply:
    """Refuse the prompt as Azure's content filter does."""
    inner = {
        "code": "ResponsibleAIPolicyViolation",
        "content_filter_result": {"violence": {"filtered": True}},
    }
    said = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."
    return fails(400, "content_filter", said, innererror=inner, status=400, param="prompt", type=None)


def breaks_after(*words: str) -> Reply:
    """Say these words and drop the connection."""

    def reply(exchange: Exchange) -> None:
        exchange.open_stream()
        for word in words:
            exchange.chunk({"content": word})
        exchange.wfile.flush()
        exchange.close_connection = True

    return reply


def errs_after(*words: str, code: str = "server_error") -> Reply:
    """Say these words and then send an error as an event of the stream."""

    def reply(exchange: Exchange) -> None:
        exchange.open_stream()
        for word in words:
            exchange.chunk({"content": word})
        exchange.send(
            json.dumps({"error": {"code": code, "message": "The server had an error.", "type": code}})
        )
        exchange.end()

    return reply


def hangs_after(*words: str) -> Reply:
    """Say these words and then nothing, until the server ends. Without words not even a head is sent."""

    def reply(exchange: Exchange) -> None:
        if words:
            exchange.open_stream()
            for word in words:
                exchange.chunk({"content": word})
            exchange.wfile.flush()
        exchange.server.over.wait(60)
        exchange.close_connection = True

    return reply


def slowly(pause: float, *words: str) -> Reply:
    """Answer with a pause, in seconds, before each word."""

    def reply(exchange: Exchange) -> None:
        exchange.open_stream()
        for word in words:
            time.sleep(pause)
            exchange.chunk({"content": word})
        exchange.close_stream("stop")

    return reply


def completion(message: Json, finish: str) -> Json:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": USAGE,
    }


@dataclass
class Told:
    """A watch that remembers."""

    causes: list[str] = field(default_factory=list)
    circuits: list[bool] = field(default_factory=list)

    def failed(self, cause: str) -> None:
        self.causes.append(cause)

    def circuit(self, open: bool) -> None:
        self.circuits.append(open)
