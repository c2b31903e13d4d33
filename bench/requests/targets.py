"""What is asked: requests that are answered in one piece, of stock LangServe and of Gatehouse."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.requests.agent import QUESTION

ServerName = Literal["stock", "gatehouse"]
TOKENS = 20
INPUTS = 32  # of a batch
PROMPT = f"[tokens {TOKENS}]"


@dataclass(frozen=True, slots=True)
class Target:
    """A path of a server, and the JSON that is posted to it; `stock` names what it is compared with."""

    name: str
    server: ServerName
    path: str
    body: bytes
    stock: str

    def asking(self, headers: Mapping[str, str]) -> bytes:
        """Return the bytes of a request over a connection that stays open."""
        lines = [
            f"POST {self.path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json",
            f"content-length: {len(self.body)}",
        ]  # fmt: skip
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


INVOKE = json.dumps({"input": {"input": PROMPT}}).encode()
BATCH = json.dumps({"inputs": [{"input": PROMPT}] * INPUTS}).encode()
ASK_AGENT = json.dumps({"input": QUESTION}).encode()
CHAT = json.dumps({"query": PROMPT, "runnable": "chat"}).encode()

STOCK_AGENT = "stock LangServe /stream_events, agent"
STOCK_INVOKE, STOCK_BATCH = "stock LangServe /invoke", f"stock LangServe /batch of {INPUTS}"
TARGETS = (
    Target(STOCK_INVOKE, "stock", "/chat/invoke", INVOKE, STOCK_INVOKE),
    Target("LangServe /invoke", "gatehouse", "/chat/invoke", INVOKE, STOCK_INVOKE),
    Target("/api/chat", "gatehouse", "/api/chat", CHAT, STOCK_INVOKE),
    Target(STOCK_BATCH, "stock", "/chat/batch", BATCH, STOCK_BATCH),
    Target(f"LangServe /batch of {INPUTS}", "gatehouse", "/chat/batch", BATCH, STOCK_BATCH),
    Target(STOCK_AGENT, "stock", "/agent/stream_events", ASK_AGENT, STOCK_AGENT),
    Target("LangServe /stream, agent", "gatehouse", "/agent/stream", ASK_AGENT, STOCK_AGENT),
)
