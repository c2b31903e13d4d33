"""Frames as a real server writes them, the same rules for every wire that streams, LangServe and MCP too."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from live_app import LiveApp, bearer, serving
from starlette.types import ASGIApp, Message, Receive, Scope, Send

QUESTION = '[tool calculator {"expression": "2+2"}][tokens 5]'
ODD = "[say a\r\nb\rc\u2028 data: \u0085]"  # what could end a line, were it not escaped
STREAM = {"accept": "application/json, text/event-stream"}
LINE = re.compile(rb"(id|event|data|retry): [^ ].*|: .*", re.DOTALL)


def messages(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def ui(text: str) -> dict[str, Any]:
    said = {"id": "m", "role": "user", "parts": [{"type": "text", "text": text}]}
    return {"id": f"frames {len(text)}", "messages": [said], "trigger": "submit-message"}


def call(text: str) -> dict[str, Any]:
    called = {"name": "agent", "arguments": {"query": text}, "_meta": {"progressToken": 1}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called}


WIRES: dict[str, tuple[str, Any]] = {
    "typed events": ("/api/chat/stream", lambda text: {"query": text, "runnable": "agent"}),
    "plain tokens": ("/api/stream", lambda text: {"query": text, "runnable": "agent"}),
    "LangServe stream": ("/agent/stream", lambda text: {"input": {"input": text}}),
    "LangServe stream_log": ("/agent/stream_log", lambda text: {"input": {"input": text}}),
    "LangServe stream_events": ("/agent/stream_events", lambda text: {"input": {"input": text}}),
    "OpenAI Chat": (
        "/v1/chat/completions",
        lambda text: {"model": "agent", "stream": True, "messages": messages(text)},
    ),
    "OpenAI Responses": ("/v1/responses", lambda text: {"model": "agent", "stream": True, "input": text}),
    "UI stream": ("/api/ui/agent/chat", ui),
    "MCP": ("/mcp", call),
}


class Recorder:
    """Remembers of each path what was written of its body, write by write."""

    def __init__(self) -> None:
        self.writes: dict[str, list[bytes]] = defaultdict(list)

    def around(self, app: ASGIApp) -> ASGIApp:
        async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
            async def write(message: Message) -> None:
                if body := message.get("body"):
                    self.writes[scope["path"]].append(body)
                await send(message)

            await app(scope, receive, write if scope["type"] == "http" else send)

        return recorded


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def live(recorder: Recorder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with serving(tmp_path_factory.mktemp("frames"), around=recorder.around) as live:
        yield live


@pytest.mark.requirement("wires.frames")
@pytest.mark.parametrize("text", [QUESTION, ODD, "[fail]"], ids=["answer", "odd", "failure"])
@pytest.mark.parametrize("wire", WIRES)
def test_each_write_is_whole_frames_without_cr_or_empty_data(
    live: LiveApp, recorder: Recorder, wire: str, text: str
) -> None:
    path, question = WIRES[wire]
    recorder.writes.clear()
    with live.client({**bearer(), **STREAM}) as client:
        answer = client.post(path, json=question(text))
    assert answer.headers["content-type"].startswith("text/event-stream"), answer.text
    assert b"".join(recorder.writes[path]) == answer.content
    assert recorder.writes[path]
    for written in recorder.writes[path]:
        assert b"\r" not in written
        assert written.endswith(b"\n\n"), written
        for frame in written.removesuffix(b"\n\n").split(b"\n\n"):
            lines = frame.split(b"\n")
            assert all(LINE.fullmatch(line) for line in lines), frame
            datas = [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]
            assert len(datas) <= 1
            assert all(data == b"[DONE]" or json.loads(data) is not None for data in datas)
