"""What callers meet at a server that was told to end, on every surface."""

import asyncio
import json
import re
from typing import Any

import pytest
from live_app import LiveApp, Serve, bearer
from sse_frames import frames_in, frames_of
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

SLOW = "[delay 0.05] [tokens 400]"


@pytest.fixture
def live(serve: Serve) -> LiveApp:
    return serve("/chat", "/agent", disconnect_grace_max=300)


MCP = {"accept": "application/json, text/event-stream"}


def mcp_call(query: str) -> dict[str, Any]:
    called = {"name": "agent", "arguments": {"query": query}}
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": called}


def refuse(live: LiveApp) -> None:
    async def refuse() -> None:
        live.services.runs.drain.refuse()

    live.run(refuse())


def hand_over(live: LiveApp) -> None:
    live.run(live.services.runs.hand_over())


class TestReadiness:
    def test_is_over_at_once_while_all_is_served(self, live: LiveApp) -> None:
        live.services.runs.drain.leave()
        with live.client() as client:
            assert client.get("/readyz").status_code == 503
            assert client.get("/livez").status_code == 200
            answer = client.post("/api/chat", json={"query": "[say hi]"})
        assert answer.json()["response"].strip() == "hi"
        assert "connection" not in answer.headers


REFUSED: tuple[tuple[str, dict[str, Any]], ...] = (
    ("/api/chat", {"query": "hi"}),
    ("/api/chat/stream", {"query": "hi"}),
    ("/api/stream", {"query": "hi"}),
    ("/chat/invoke", {"input": {"input": "hi"}}),
    ("/chat/batch", {"inputs": [{"input": "hi"}]}),
    ("/chat/stream", {"input": {"input": "hi"}}),
    ("/chat/stream_events", {"input": {"input": "hi"}}),
    ("/chat/stream_log", {"input": {"input": "hi"}}),
)


ASKED = [{"role": "user", "content": "hi"}]
UI_MESSAGE = {"id": "m", "role": "user", "parts": [{"type": "text", "text": "hi"}]}
# over the wires that have errors of their own form: what their clients see of a refusal
REFUSED_BY_OTHERS: tuple[tuple[str, dict[str, Any], int, str], ...] = (
    ("/v1/chat/completions", {"model": "chat", "messages": ASKED}, 503, '"code":"restarting"'),
    ("/v1/responses", {"model": "chat", "input": "hi"}, 503, '"code":"restarting"'),
    ("/api/ui/chat/chat", {"id": "c", "messages": [UI_MESSAGE]}, 503, "This server is being restarted."),
    ("/mcp", mcp_call("hi"), 200, '"problem":"restarting"'),
)


class TestRefusal:
    @pytest.mark.requirement("wires.drain")
    @pytest.mark.parametrize(
        ("path", "body", "status", "said"), REFUSED_BY_OTHERS, ids=[path for path, *_ in REFUSED_BY_OTHERS]
    )
    def test_is_said_in_each_wire_s_own_form(
        self, live: LiveApp, path: str, body: dict[str, Any], status: int, said: str
    ) -> None:
        refuse(live)
        with live.client() as client:
            answer = client.post(path, json=body, headers=MCP)
        assert answer.status_code == status
        assert said in answer.text.replace(": ", ":").replace('\\"', '"')

    @pytest.mark.parametrize(("path", "body"), REFUSED, ids=[path for path, _ in REFUSED])
    def test_of_a_new_run_says_when_to_ask_again(
        self, live: LiveApp, path: str, body: dict[str, Any]
    ) -> None:
        refuse(live)
        with live.client() as client:
            answer = client.post(path, json=body)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["type"] == "urn:gatehouse:problem:restarting"
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["connection"] == "close"

    def test_of_event_source(self, live: LiveApp) -> None:
        refuse(live)
        with live.client() as client:
            assert client.get("/api/chat/stream", params={"query": "hi"}).status_code == 503

    def test_is_not_of_those_who_read_or_stop_a_run(self, live: LiveApp) -> None:
        with live.client() as client:
            run_id = begun(client)
            refuse(live)
            assert client.get(f"/api/runs/{run_id}").json()["state"] == "running"
            with client.stream("GET", f"/api/runs/{run_id}/stream") as joined:
                events = frames_of(joined.iter_lines())
                assert next(events).event == "start"
                assert client.post(f"/api/runs/{run_id}/cancel").status_code == 202
                assert list(events)[-1].event == "end"


def begun(client: Any, query: str = SLOW) -> str:
    """Return the id of a run that goes on, though its first viewer has left."""
    with client.stream("POST", "/api/chat/stream", json={"query": query}) as response:
        next(response.iter_bytes())
        return str(response.headers["x-run-id"])


def read_over_handover(live: LiveApp, path: str, body: dict[str, Any]) -> str:
    """Return the text of a stream in whose middle the server hands its runs over."""
    with live.client() as client, client.stream("POST", path, json=body) as response:
        parts = response.iter_text()
        text = next(part for part in parts if "t1" in part)
        hand_over(live)
        return text + "".join(parts)


class TestHandover:
    def test_ends_typed_streams_without_end_and_says_when_to_come_back(self, live: LiveApp) -> None:
        text = read_over_handover(live, "/api/chat/stream", {"query": SLOW})
        assert frames_in(text)[-1].event == "token"
        hint = re.search(r"retry: (\d+)\n\n$", text)
        assert hint is not None
        assert 100 <= int(hint[1]) <= 1000

    def test_ends_langserve_streams_with_its_error_frame(self, live: LiveApp) -> None:
        text = read_over_handover(live, "/chat/stream", {"input": {"input": SLOW}})
        last = frames_in(text)[-1]
        assert (last.event, last.data["status_code"]) == ("error", 503)

    @pytest.mark.requirement("wires.drain")
    @pytest.mark.parametrize(
        ("path", "body", "said"),
        [
            (
                "/v1/chat/completions",
                {"model": "chat", "messages": [{"role": "user", "content": SLOW}], "stream": True},
                '"code":"restarting"',
            ),
            ("/v1/responses", {"model": "chat", "input": SLOW, "stream": True}, '"code":"restarting"'),
            (
                "/api/ui/chat/chat",
                {"id": "c", "messages": [{**UI_MESSAGE, "parts": [{"type": "text", "text": SLOW}]}]},
                "This server is being restarted.",
            ),
        ],
        ids=["Chat", "Responses", "UI stream"],
    )
    def test_ends_other_streams_with_an_error_of_their_own(
        self, live: LiveApp, path: str, body: dict[str, Any], said: str
    ) -> None:
        text = read_over_handover(live, path, body)
        *_, last = [frame for frame in text.split("\n\n") if frame and frame != "data: [DONE]"]
        assert said in last

    @pytest.mark.requirement("wires.drain")
    def test_ends_a_call_of_mcp_with_a_result_that_says_why(self, live: LiveApp) -> None:
        async def called() -> str:
            async with live.aclient() as client:
                calling = asyncio.create_task(client.post("/mcp", json=mcp_call(SLOW), headers=MCP))
                while not live.services.runs.local:
                    await asyncio.sleep(0.02)
                await asyncio.to_thread(hand_over, live)
                return (await calling).text

        told = asyncio.run(called())
        assert "This server is being restarted." in told
        assert '"isError":true' in told

    def test_answers_those_who_wait_for_the_whole(self, live: LiveApp) -> None:
        async def asked(path: str, body: dict[str, Any]) -> int:
            async with live.aclient() as client:
                return (await client.post(path, json=body)).status_code

        async def all_asked() -> list[int]:
            asking = [
                asyncio.create_task(asked("/api/chat", {"query": SLOW})),
                asyncio.create_task(asked("/chat/invoke", {"input": {"input": SLOW}})),
            ]
            while len(live.services.runs.local) < 2:
                await asyncio.sleep(0.02)
            await asyncio.to_thread(hand_over, live)
            return await asyncio.gather(*asking)

        assert asyncio.run(all_asked()) == [503, 503]


class TestWebSocket:
    async def test_that_follows_nothing_is_closed_when_runs_are_refused(self, live: LiveApp) -> None:
        async with connect(f"ws://127.0.0.1:{live.port}/ws/chat/", additional_headers=bearer()) as socket:
            await asyncio.to_thread(refuse, live)
            with pytest.raises(ConnectionClosed) as closed:
                async with asyncio.timeout(10):
                    await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012

    async def test_starts_no_run_and_reads_those_that_go_on(self, live: LiveApp) -> None:
        with live.client() as client:
            run_id = await asyncio.to_thread(begun, client)
        await asyncio.to_thread(refuse, live)
        url = f"ws://127.0.0.1:{live.port}/ws/chat/?events=run"
        async with connect(url, additional_headers=bearer()) as socket:
            await socket.send('{"message": "hi"}')
            refused = await socket.recv()
            assert '"status":503' in str(refused).replace(" ", "")
            await socket.send(json.dumps({"type": "resume", "run_id": run_id}))
            assert '"type":"start"' in str(await socket.recv())
            await asyncio.to_thread(hand_over, live)
            with pytest.raises(ConnectionClosed) as closed:
                async with asyncio.timeout(10):
                    while True:
                        await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
