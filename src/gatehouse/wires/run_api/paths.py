"""The run API's operations, as the layers around all routes have to know them."""

from gatehouse.web.paths import Paths

STREAMING = frozenset({
    ("POST", "/api/chat/stream"), ("GET", "/api/chat/stream"),
    ("POST", "/api/stream"), ("GET", "/api/stream"),
})  # fmt: skip

PATHS = Paths(
    starts=STREAMING | {("POST", "/api/chat"), ("POST", "/api/threads/{thread_id}/fork")},
    streams=STREAMING | {("GET", "/api/runs/{run_id}/stream")},
)
