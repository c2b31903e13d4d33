"""What is measured: each transport, how a client asks over it, and how it sees tokens in what comes back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ServerName = Literal["stock", "embedded", "redis", "bare"]


@dataclass(frozen=True, slots=True)
class Target:
    """One transport of one server. `token` is in the bytes of every token's frame, and in no other."""

    name: str
    server: ServerName
    path: str
    body: Literal["langserve", "run", "websocket"]
    token: bytes
    end: bytes

    @property
    def websocket(self) -> bool:
        return self.body == "websocket"

    def opening(self, headers: Mapping[str, str]) -> bytes:
        """Return the handshake of a WebSocket."""
        lines = [
            f"GET {self.path} HTTP/1.1", "host: 127.0.0.1", "connection: upgrade", "upgrade: websocket",
            "sec-websocket-version: 13", "sec-websocket-key: Z2F0ZWhvdXNlIGJlbmNobQ==",
        ]  # fmt: skip
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode()

    def asking(self, prompt: str, headers: Mapping[str, str]) -> bytes:
        """Return the bytes that ask for an answer: a request, or a WebSocket's frame."""
        if self.websocket:
            return masked(json.dumps({"message": prompt, "runnable": "chat"}).encode())
        value = (
            {"input": {"input": prompt}}
            if self.body == "langserve"
            else {"query": prompt, "runnable": "chat"}
        )
        return request(self.path, value, headers)


def request(path: str, value: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    """Return a POST of JSON."""
    body = json.dumps(value).encode()
    lines = [
        f"POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json",
        f"content-length: {len(body)}",
    ]  # fmt: skip
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def masked(payload: bytes, opcode: int = 1) -> bytes:
    """Return a client's frame of at most 125 bytes (RFC 6455 section 5.2). Its mask is zeros."""
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload


LAST_CHUNK = b"\r\n0\r\n\r\n"


def langserve(name: str, server: ServerName) -> Target:
    return Target(name, server, "/chat/stream", "langserve", b"event: data", LAST_CHUNK)


def run(name: str, server: ServerName) -> Target:
    return Target(name, server, "/api/chat/stream", "run", b"event: token", LAST_CHUNK)


def websocket(name: str, server: ServerName) -> Target:
    return Target(name, server, "/ws/chat/?events=run", "websocket", b'"type":"token"', b'"type":"end"')


STOCK = langserve("stock LangServe /stream", "stock")
BARE = run("bare Starlette", "bare")
TARGETS = (
    STOCK,
    langserve("LangServe /stream, own Valkey", "embedded"),
    langserve("LangServe /stream, Redis log", "redis"),
    run("/api/chat/stream, own Valkey", "embedded"),
    run("/api/chat/stream, Redis log", "redis"),
    websocket("WebSocket, own Valkey", "embedded"),
    websocket("WebSocket, Redis log", "redis"),
    BARE,
)
