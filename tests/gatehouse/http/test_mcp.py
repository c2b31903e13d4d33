"""MCP as its own client speaks it, of this revision and of the one before: a call is a run of the caller's."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from langchain_core.runnables import RunnableLambda
from live_app import JWT_SECRET, LiveApp, bearer, serving
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult
from probe_runnables import Endless, probes
from pydantic import BaseModel

from gatehouse.auth.tokens.issuing import issue_token
from gatehouse.registry.entry import Entry

ISSUER = "https://issuer.example"
SERVED = ("agent", "summarize", "failing", "endless", "vault")
METADATA = "/.well-known/oauth-protected-resource/mcp"
ACCEPTS = {"accept": "application/json, text/event-stream"}
INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


class Pair(BaseModel):
    """What takes two numbers, and no text."""

    a: int
    b: int


async def add(pair: dict[str, int]) -> dict[str, int]:
    return {"sum": pair["a"] + pair["b"]}


async def count(numbers: list[int]) -> str:
    return f"{len(numbers)} numbers"


OF_DATA = (
    Entry("/maths/add", lambda _: RunnableLambda(add), "Adds.", input_type=Pair, output_type=dict, mcp=True),
    Entry("/count", lambda _: RunnableLambda(count), "Counts.", input_type=list[int], mcp=True),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    entries = [replace(entry, mcp=entry.name in SERVED) for entry in probes(Endless())] + [*OF_DATA]
    settings: dict[str, Any] = {
        "issuer": ISSUER,
        "tenant_runnables": {"acme": ["*"], "shut": ["chat"]},
        "jwt_algorithms": "HS256",
    }
    with serving(tmp_path_factory.mktemp("mcp"), entries, **settings) as live:
        yield live


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    """Yield a server that knows under which address others reach it."""
    settings: dict[str, Any] = {
        "issuer": ISSUER,
        "jwt_algorithms": "HS256",
        "public_url": "https://gatehouse.example",
    }
    with serving(tmp_path_factory.mktemp("public"), [probes(Endless())[0]], **settings) as live:
        yield live


def signed_in(
    scopes: tuple[str, ...] = ("*",), tenant: str = "acme", audience: Any = "gatehouse"
) -> dict[str, str]:
    token = issue_token(JWT_SECRET, ISSUER, audience, "alice", tenant, "Alice", scopes)
    return {"authorization": f"Bearer {token}"}


@asynccontextmanager
async def client(server: LiveApp, mode: str = "2026-07-28", **who: Any) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers=signed_in(**who), timeout=20) as http,
        Client(streamable_http_client(f"{server.url}/mcp", http_client=http), mode=mode) as connected,
    ):
        yield connected


def text_of(result: CallToolResult) -> str:
    return "".join(getattr(block, "text", "") for block in result.content)


class TestTools:
    @pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
    async def test_are_the_entries_that_say_so(self, server: LiveApp, mode: str) -> None:
        async with client(server, mode) as mcp:
            tools = (await mcp.list_tools()).tools
        assert sorted(tool.name for tool in tools) == sorted([*SERVED, "maths__add", "count"])

    @pytest.mark.requirement("mcp.tools")
    async def test_are_those_that_the_caller_may_use(self, server: LiveApp) -> None:
        async with client(server, scopes=("runnable:agent",)) as mcp:
            assert [tool.name for tool in (await mcp.list_tools()).tools] == ["agent"]
        async with client(server, tenant="shut") as mcp:
            assert (await mcp.list_tools()).tools == []

    async def test_say_what_they_take(self, server: LiveApp) -> None:
        async with client(server) as mcp:
            tools = {tool.name: tool.input_schema for tool in (await mcp.list_tools()).tools}
        assert tools["agent"]["required"] == ["query"]
        assert tools["maths__add"]["properties"].keys() == {"a", "b"}
        assert tools["count"]["properties"]["input"]["type"] == "array"


class TestCall:
    @pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
    @pytest.mark.requirement("mcp.tools")
    async def test_is_a_run_of_the_caller_s(self, server: LiveApp, mode: str) -> None:
        async with client(server, mode) as mcp:
            result = await mcp.call_tool("agent", {"query": "[say Bonds are loans.]"})
            assert (text_of(result), result.is_error) == ("Bonds are loans.", False)
        assert result.meta is not None
        with server.client(signed_in()) as alice:
            run = alice.get(f"/api/runs/{result.meta['run_id']}").json()
        assert (run["state"], run["text"]) == ("completed", "Bonds are loans.")
        assert run["usage"] == result.meta["usage"]

    async def test_of_data_returns_data(self, server: LiveApp) -> None:
        async with client(server) as mcp:
            added = await mcp.call_tool("maths__add", {"a": 1, "b": 2})
            counted = await mcp.call_tool("count", {"input": [1, 2, 3]})
        assert (added.structured_content, text_of(added)) == ({"sum": 3}, '{"sum":3}')
        assert text_of(counted) == "3 numbers"

    async def test_goes_on_in_a_thread(self, server: LiveApp) -> None:
        async with client(server) as mcp:
            first = await mcp.call_tool("agent", {"query": "[say one]"})
            thread = {"thread_id": (first.meta or {})["thread_id"]}
            await mcp.call_tool("agent", {"query": "[say two]", **thread})
        with server.client(signed_in()) as alice:
            items = alice.get(f"/api/threads/{thread['thread_id']}/messages").json()["items"]
        assert [message["content"] for message in items] == ["[say one]", "one", "[say two]", "two"]

    @pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
    @pytest.mark.requirement("mcp.progress")
    async def test_tells_what_it_is_at(self, server: LiveApp, mode: str) -> None:
        told: list[str | None] = []

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            told.append(message)

        question = {"query": '[tool calculator {"expression": "2+2"}][say four]'}
        async with client(server, mode) as mcp:
            await mcp.call_tool("agent", question, progress_callback=hear)
        assert told[0] == "Using tool: calculator"
        assert "4" in str(told[1])

    @pytest.mark.parametrize(
        ("tool", "arguments", "said"),
        [
            ("agent", {"query": "[fail]"}, "The run failed."),
            ("agent", {"question": "x"}, "The tool takes query and thread_id, not question."),
            ("agent", {"query": ""}, "arguments.query"),
            ("agent", {"query": "x", "thread_id": "unknown"}, "There is no such thread."),
            ("maths__add", {"a": "x"}, "input.a"),
            ("count", {"numbers": [1]}, "The tool takes input, not numbers."),
            ("count", {}, "Give one of query, messages and input"),
        ],
    )
    @pytest.mark.requirement("mcp.tools")
    async def test_that_cannot_be_answered_is_an_error_that_a_model_can_read(
        self, server: LiveApp, tool: str, arguments: dict[str, Any], said: str
    ) -> None:
        async with client(server) as mcp:
            result = await mcp.call_tool(tool, arguments)
        assert result.is_error
        assert said in text_of(result)

    @pytest.mark.parametrize("tool", ["unknown", "chat"])
    async def test_of_what_is_no_tool_is_refused(self, server: LiveApp, tool: str) -> None:
        async with client(server) as mcp:
            with pytest.raises(MCPError, match="There is no tool"):
                await mcp.call_tool(tool, {})

    @pytest.mark.requirement("mcp.cancel")
    async def test_that_its_client_leaves_is_stopped(self, server: LiveApp) -> None:
        async with client(server) as mcp:
            calling = asyncio.create_task(mcp.call_tool("endless", {"query": "x"}))
            while not server.services.runs.local:
                await asyncio.sleep(0.02)
            (run_id,) = server.services.runs.local
            assert server.services.runs.local[run_id].run.grace == 0  # also of one left before it is begun
            calling.cancel()
            with suppress(asyncio.CancelledError, MCPError):
                await calling
            async with asyncio.timeout(10):
                while server.running(run_id):
                    await asyncio.sleep(0.02)


class TestHttp:
    @pytest.mark.requirement("mcp.auth")
    def test_challenges_say_where_a_token_is_had(self, server: LiveApp) -> None:
        with server.client({}) as nobody:
            refused = nobody.post("/mcp", json=INITIALIZE)
            where = f'Bearer resource_metadata="{server.url}{METADATA}"'
            assert (refused.status_code, refused.headers["www-authenticate"]) == (401, where)
            for path in (METADATA, METADATA.removesuffix("/mcp")):
                metadata = nobody.get(path).json()
                assert metadata["resource"] == f"{server.url}/mcp"
                assert metadata["authorization_servers"] == [ISSUER]
                assert "runnable:agent" in metadata["scopes_supported"]

    @pytest.mark.requirement("mcp.auth")
    def test_a_call_that_needs_another_scope_is_told_which(self, server: LiveApp) -> None:
        call = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "vault", "arguments": {}},
        }
        with server.client(signed_in(scopes=("runnable:agent",))) as alice:
            refused = alice.post("/mcp", json=call)
        assert refused.status_code == 403
        challenge = refused.headers["www-authenticate"]
        assert challenge.startswith(
            'Bearer error="insufficient_scope", scope="vault:open", resource_metadata='
        )

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"origin": "https://evil.example"}, 403),
            ({"origin": "http://evil.example", "host": "evil.example"}, 403),
            ({"origin": "null"}, 403),
            ({}, 200),
        ],
    )
    @pytest.mark.requirement("mcp.origin")
    def test_a_page_of_another_site_is_refused(
        self, server: LiveApp, headers: dict[str, str], status: int
    ) -> None:
        with server.client(signed_in()) as alice:
            assert alice.post("/mcp", json=INITIALIZE, headers=ACCEPTS | headers).status_code == status
            own = {"origin": server.url}
            assert alice.post("/mcp", json=INITIALIZE, headers=ACCEPTS | own).status_code == 200

    @pytest.mark.requirement("mcp.stateless")
    def test_there_is_no_session_to_follow_or_to_end(self, server: LiveApp) -> None:
        with server.client(signed_in()) as alice:
            assert [alice.request(method, "/mcp").status_code for method in ("GET", "DELETE")] == [405, 405]

    @pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b'{"method": "tools/call", "params": 1}'])
    @pytest.mark.requirement("mcp.stateless")
    def test_what_is_no_message_is_a_400(self, server: LiveApp, body: bytes) -> None:
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        with server.client(signed_in()) as alice:
            assert alice.post("/mcp", content=body, headers=headers).status_code == 400

    @pytest.mark.parametrize(("length", "status"), [(200, 200), (201, 400)])
    @pytest.mark.parametrize("named", ["id", "progressToken"])
    def test_names_that_answers_repeat_are_short(
        self, server: LiveApp, named: str, length: int, status: int
    ) -> None:
        names = {"id": 1, "progressToken": 1} | {named: "n" * length}
        about = {"progressToken": names["progressToken"]}
        call = {"name": "summarize", "arguments": {"query": "x"}, "_meta": about}
        message = {"jsonrpc": "2.0", "id": names["id"], "method": "tools/call", "params": call}
        headers = {"accept": "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25"}
        with server.client(signed_in()) as alice:
            assert alice.post("/mcp", json=message, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("audience", "statuses"),
    [
        ("gatehouse", (200, 200)),
        ("https://gatehouse.example/mcp", (200, 401)),
        ("https://gatehouse.example", (401, 401)),
        ("https://gatehouse.example/mcp/", (401, 401)),
        ("https://other.example/mcp", (401, 401)),
        (["https://other.example/mcp", "https://gatehouse.example/mcp"], (200, 401)),
    ],
)
@pytest.mark.requirement("mcp.resource")
def test_a_token_is_for_the_whole_server_or_for_the_resource(
    public: LiveApp, audience: Any, statuses: tuple[int, int]
) -> None:
    with public.client(signed_in(audience=audience)) as alice:
        assert alice.get(METADATA).json()["resource"] == "https://gatehouse.example/mcp"
        answered = alice.post("/mcp", json=INITIALIZE, headers=ACCEPTS), alice.get("/api/me")
    assert tuple(answer.status_code for answer in answered) == statuses


def test_without_an_issuer_there_is_no_metadata(tmp_path: Path) -> None:
    with serving(tmp_path, [probes(Endless())[0]]) as live, live.client({}) as nobody:
        assert nobody.get(METADATA).status_code == 404
        assert nobody.post("/mcp", json=INITIALIZE).headers["www-authenticate"] == "Bearer"
        with live.client(bearer()) as alice:
            assert alice.post("/mcp", json=INITIALIZE).status_code in (200, 406)
