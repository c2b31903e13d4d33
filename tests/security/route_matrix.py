"""Who may call what: every route and method that the application lists, and a request to try each with.

A new route without an entry fails `test_route_matrix.py`. That is the point: whoever adds it says here who
may call it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chains.registry import REGISTRY
from gatehouse.registry.checked import checked
from gatehouse.registry.entry import ServedEntry

SERVED = checked("chains.registry:REGISTRY", REGISTRY).entries
UNKNOWN = "01a1fc96-0000-7000-8000-000000000000"


@dataclass(frozen=True)
class Access:
    """`scope` is what a caller needs beside a credential. `path` and `body` make a request that is well-formed.

    `starts` says that a good request starts a run; `answers` is the status of a public page.
    """

    path: str
    scope: str | None = None
    public: bool = False
    body: Any = None
    files: Any = None
    starts: bool = False
    answers: int = 200


def signed_in(path: str, body: Any = None, *, starts: bool = False) -> Access:
    return Access(path, body=body, starts=starts)


def public(path: str, answers: int = 200) -> Access:
    return Access(path, public=True, answers=answers)


def langserve(entry: ServedEntry) -> dict[tuple[str, str], Access]:
    """Return the entries of one runnable's routes."""
    name, scope = entry.name, entry.required_scope
    one = entry.shape.said("A bond is a loan.")
    entries = {
        ("POST", f"/{name}/{endpoint}"): Access(
            f"/{name}/{endpoint}", scope, body={"input": one}, starts=True
        )
        for endpoint in ("invoke", "stream", "stream_log", "stream_events")
    }
    entries["POST", f"/{name}/batch"] = Access(f"/{name}/batch", scope, body={"inputs": [one]}, starts=True)
    for schema in ("input_schema", "output_schema", "config_schema"):
        entries["GET", f"/{name}/{schema}"] = Access(f"/{name}/{schema}", scope)
    entries["GET", f"/{name}/playground"] = Access(f"/{name}/playground", scope)
    entries["GET", f"/{name}/playground/{{file_path:path}}"] = Access(f"/{name}/playground/", scope)
    return entries


CHAT = {"query": "[say hello]"}
COMPLETION = {"model": "chat", "messages": [{"role": "user", "content": "[say hello]"}]}
UI_CHAT = {"id": "c", "messages": [{"role": "user", "parts": [{"type": "text", "text": "[say hello]"}]}]}
MCP_CALL = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "agent", "arguments": {"query": "[say hello]"}},
}
THREAD = f"/api/threads/{UNKNOWN}"
RESPONSE = f"/v1/responses/resp_{UNKNOWN}"
RUN = f"/api/runs/{UNKNOWN}"

MATRIX: Mapping[tuple[str, str], Access] = {
    ("GET", "/livez"): public("/livez"),
    ("GET", "/readyz"): public("/readyz"),
    ("GET", "/signin"): public("/signin"),
    ("GET", "/signin.{kind}"): public("/signin.css"),
    ("POST", "/auth/session"): public("/auth/session"),
    ("DELETE", "/auth/session"): signed_in("/auth/session"),
    ("POST", "/auth/signout"): signed_in("/auth/signout"),
    # 404 where no issuer is configured
    ("GET", "/auth/login"): public("/auth/login", 404),
    ("GET", "/auth/callback"): public("/auth/callback", 404),
    ("POST", "/auth/backchannel-logout"): public("/auth/backchannel-logout"),
    ("GET", "/"): signed_in("/"),
    ("GET", "/threads/{thread_id}"): signed_in(f"/threads/{UNKNOWN}"),
    ("GET", "/transports"): signed_in("/transports"),
    ("GET", "/approvals"): signed_in("/approvals"),
    ("GET", "/assets/{name}"): signed_in("/assets/index.js"),
    ("GET", "/docs"): signed_in("/docs"),
    ("GET", "/docs/start.js"): signed_in("/docs/start.js"),
    ("GET", "/docs/{file}"): signed_in("/docs/swagger-ui.css"),
    ("GET", "/openapi.json"): signed_in("/openapi.json"),
    ("POST", "/api/chat"): signed_in("/api/chat", CHAT, starts=True),
    ("POST", "/api/chat/stream"): signed_in("/api/chat/stream", CHAT, starts=True),
    ("GET", "/api/chat/stream"): signed_in("/api/chat/stream?query=hello", starts=True),
    ("POST", "/api/stream"): signed_in("/api/stream", CHAT, starts=True),
    ("GET", "/api/stream"): signed_in("/api/stream?query=hello", starts=True),
    ("GET", "/api/runs/{run_id}"): signed_in(RUN),
    ("GET", "/api/runs/{run_id}/stream"): signed_in(f"{RUN}/stream"),
    ("POST", "/api/runs/{run_id}/cancel"): signed_in(f"{RUN}/cancel"),
    ("POST", "/api/ui/{entry:path}/chat"): signed_in("/api/ui/chat/chat", UI_CHAT, starts=True),
    ("GET", "/api/ui/{entry:path}/chat/{chat}/stream"): signed_in("/api/ui/chat/chat/c/stream"),
    ("POST", "/api/ui/{entry:path}/chat/{chat}/stop"): signed_in("/api/ui/chat/chat/c/stop"),
    ("POST", "/mcp"): Access("/mcp", "runnable:agent", body=MCP_CALL, starts=True),
    # 404 where no issuer is configured
    ("GET", "/.well-known/oauth-protected-resource"): public("/.well-known/oauth-protected-resource", 404),
    ("GET", "/.well-known/oauth-protected-resource/mcp"): public(
        "/.well-known/oauth-protected-resource/mcp", 404
    ),
    ("GET", "/api/runnables"): signed_in("/api/runnables"),
    ("GET", "/api/me"): signed_in("/api/me"),
    ("GET", "/api/usage"): signed_in("/api/usage"),
    ("GET", "/api/audit"): Access("/api/audit", "audit:read"),
    ("GET", "/api/approvals"): signed_in("/api/approvals"),
    ("GET", "/api/approvals/count"): signed_in("/api/approvals/count"),
    ("GET", "/api/approvals/{approval_id}"): signed_in(f"/api/approvals/{UNKNOWN}"),
    ("POST", "/api/approvals/{approval_id}/decision"): signed_in(
        f"/api/approvals/{UNKNOWN}/decision", {"decision": "approve", "digest": "0" * 64}
    ),
    ("GET", "/api/feedback"): signed_in(f"/api/feedback?thread_id={UNKNOWN}"),
    ("PUT", "/api/feedback/{run_id}"): signed_in(f"/api/feedback/{UNKNOWN}", {"score": "up"}),
    ("DELETE", "/api/feedback/{run_id}"): signed_in(f"/api/feedback/{UNKNOWN}"),
    ("GET", "/api/threads"): signed_in("/api/threads"),
    ("POST", "/api/threads"): signed_in("/api/threads", {"runnable": "chat"}),
    ("GET", "/api/threads/{thread_id}"): signed_in(THREAD),
    ("PATCH", "/api/threads/{thread_id}"): signed_in(THREAD, {"title": "x"}),
    ("DELETE", "/api/threads/{thread_id}"): signed_in(THREAD),
    ("PUT", "/api/threads/{thread_id}/branch"): signed_in(f"{THREAD}/branch", {"message_id": UNKNOWN}),
    ("POST", "/api/threads/{thread_id}/fork"): signed_in(f"{THREAD}/fork", {"message_id": UNKNOWN}),
    ("GET", "/api/threads/{thread_id}/messages"): signed_in(f"{THREAD}/messages"),
    ("POST", "/api/attachments"): Access(
        "/api/attachments", "attachments:write", files={"file": ("a.txt", b"hello")}
    ),
    ("GET", "/api/attachments"): signed_in("/api/attachments"),
    ("GET", "/api/attachments/{attachment_id}"): signed_in(f"/api/attachments/{UNKNOWN}"),
    ("DELETE", "/api/attachments/{attachment_id}"): Access(
        f"/api/attachments/{UNKNOWN}", "attachments:write"
    ),
    ("GET", "/v1/models"): signed_in("/v1/models"),
    ("GET", "/v1/models/{model:path}"): Access("/v1/models/chat", "runnable:chat"),
    ("POST", "/v1/chat/completions"): Access(
        "/v1/chat/completions", "runnable:chat", body=COMPLETION, starts=True
    ),
    ("POST", "/v1/responses"): Access(
        "/v1/responses", "runnable:chat", body={"model": "chat", "input": "[say hello]"}, starts=True
    ),
    ("GET", "/v1/responses/{response_id}"): signed_in(RESPONSE),
    ("DELETE", "/v1/responses/{response_id}"): signed_in(RESPONSE),
    ("POST", "/v1/responses/{response_id}/cancel"): signed_in(f"{RESPONSE}/cancel"),
    ("GET", "/v1/responses/{response_id}/input_items"): signed_in(f"{RESPONSE}/input_items"),
    ("POST", "/api/keys"): Access("/api/keys", "keys:admin", body={"user_id": "alice"}),
    ("GET", "/api/keys"): Access("/api/keys", "keys:admin"),
    ("GET", "/api/keys/{key_id}"): Access("/api/keys/0000000000000000", "keys:admin"),
    ("POST", "/api/keys/{key_id}/rotate"): Access("/api/keys/0000000000000000/rotate", "keys:admin", body={}),
    ("POST", "/api/keys/{key_id}/revoke"): Access("/api/keys/0000000000000000/revoke", "keys:admin"),
    ("DELETE", "/api/users/{user_id:path}"): Access("/api/users/nobody-of-acme", "users:erase"),
    ("POST", "/api/tickets"): signed_in("/api/tickets", {"route": "/ws/chat/"}),
    ("POST", "/api/tokens/revoke"): Access("/api/tokens/revoke", "keys:admin", body={"jti": "unknown"}),
    ("GET", "/ws/chat"): signed_in("/ws/chat"),
    ("GET", "/ws/chat/"): signed_in("/ws/chat/"),
    ("WEBSOCKET", "/ws/chat"): signed_in("/ws/chat"),
    ("WEBSOCKET", "/ws/chat/"): signed_in("/ws/chat/"),
    **{route: access for entry in SERVED for route, access in langserve(entry).items()},
}
