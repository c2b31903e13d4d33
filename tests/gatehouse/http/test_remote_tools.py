"""Tools of other MCP servers, here of another Gatehouse: for the caller, on record, missing if away."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from live_app import JWT_SECRET, LiveApp, bearer, serving
from pydantic import ValidationError

from gatehouse.identity.caller import caller_of
from gatehouse.lifespan import parts
from gatehouse.lifespan.parts import used_servers
from gatehouse.registry.checked import BadRegistry
from gatehouse.registry.entry import Entry, Parts
from gatehouse.registry.loading import load_registry
from gatehouse.settings import Settings
from gatehouse.storage.opening import CannotStart

NOWHERE = "http://127.0.0.1:9/mcp"


async def who(_input: Any, config: RunnableConfig) -> str:
    caller = caller_of(config)
    return f"{caller.user_id} of {caller.tenant_id}"


async def fails(_input: Any) -> str:
    raise ValueError("a secret of the other house")


def helper(parts: Parts) -> Runnable[Any, Any]:
    """Return an agent with the tools that it is handed."""
    return create_agent(parts.model, list(parts.tools), name="helper")


OTHERS = [
    Entry("/who", lambda _: RunnableLambda(who), "Says who is calling.", mcp=True),
    Entry("/fails", lambda _: RunnableLambda(fails), "Fails.", mcp=True),
    Entry("/unlisted", lambda _: RunnableLambda(who), "Is not allowed here.", mcp=True),
]
OURS = [Entry("/helper", helper, "Helps.", output_type=AIMessageChunk, mcp_servers=("peer",))]


def peer(url: str, **changes: Any) -> dict[str, Any]:
    known = {"secret": JWT_SECRET, "audience": "gatehouse", "scope": "runnable:who runnable:fails"}
    return {"peer": {"url": url, "tools": ["who", "fails"], "reads": ["who"], **known, **changes}}


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with serving(tmp_path_factory.mktemp("other"), OTHERS) as live:
        yield live


@pytest.fixture(scope="module")
def ours(other: LiveApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    servers = peer(f"{other.url}/mcp")
    with serving(tmp_path_factory.mktemp("ours"), OURS, mcp_servers=servers) as live:
        yield live


def told(live: LiveApp, question: str) -> tuple[list[dict[str, Any]], str]:
    """Return the tool calls of an answer, and its text."""
    with live.client(bearer("bob", "beta")) as bob:
        answer = bob.post("/api/chat", json={"query": question})
        assert answer.status_code == 200, answer.text
        thread = f"/api/threads/{answer.json()['thread_id']}/messages"
        return bob.get(thread).json()["items"][-1]["tool_calls"], answer.json()["response"]


@pytest.mark.requirement("mcp.used.tools")
def test_a_call_is_made_for_the_caller(ours: LiveApp) -> None:
    ((call,), text) = told(ours, '[tool peer_who {"query": "x"}][say done]')
    assert (call["output"], call["is_error"], text) == ("bob of beta", False, "done")


def test_what_acts_is_on_record(ours: LiveApp) -> None:
    ((call,), _) = told(ours, '[tool peer_fails {"query": "x"}][say done]')
    assert call["is_error"]
    assert "secret" not in call["output"]
    with ours.client(bearer("bob", "beta")) as bob:
        rows = bob.get("/api/audit").json()["items"]
    assert "peer_fails" in json.dumps(rows)
    assert "peer_who" not in json.dumps(rows)


@pytest.mark.requirement("mcp.used.tools")
def test_a_tool_that_is_not_allowed_is_none(ours: LiveApp) -> None:
    ((call,), _) = told(ours, '[tool peer_unlisted {"query": "x"}][say done]')
    assert "not a valid tool" in call["output"]


@pytest.mark.requirement("mcp.used.tools")
def test_a_server_that_is_away_at_the_start_costs_its_tools(tmp_path: Path, logged: Any) -> None:
    with serving(tmp_path, OURS, mcp_servers=peer(NOWHERE)) as live:
        assert told(live, "[say still here]") == ([], "still here")
    assert logged.getvalue().count("an MCP server is away: its tools are missing") == 1


@pytest.mark.requirement("mcp.used.tools")
def test_its_tools_come_when_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "LATE_SECONDS", 0.2)
    theirs, mine = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    mine.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with ExitStack() as until_the_end:
        at = peer(f"http://127.0.0.1:{port}/mcp")
        live = until_the_end.enter_context(serving(mine, OURS, mcp_servers=at))
        assert told(live, "[say still here]") == ([], "still here")
        until_the_end.enter_context(serving(theirs, OTHERS, port))
        live.eventually(lambda: "peer_who" in live.services.approvals.tools["/helper"])
        ((call,), text) = told(live, '[tool peer_who {"query": "x"}][say done]')
    assert (call["output"], text) == ("bob of beta", "done")


@pytest.mark.requirement("mcp.used.tools")
def test_an_entry_may_have_a_server_of_its_own(other: LiveApp, tmp_path: Path) -> None:
    own = [
        Entry("/helper", helper, "Helps.", output_type=AIMessageChunk, mcp_servers=peer(f"{other.url}/mcp"))
    ]
    with serving(tmp_path, own) as live:
        ((call,), _) = told(live, '[tool peer_who {"query": "x"}][say done]')
    assert call["output"] == "bob of beta"


def test_a_server_that_goes_away_is_told_to_the_model(tmp_path: Path) -> None:
    theirs, mine = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    mine.mkdir()
    with ExitStack() as until_it_goes, ExitStack() as until_the_end:
        other = until_it_goes.enter_context(serving(theirs, OTHERS))
        live = until_the_end.enter_context(serving(mine, OURS, mcp_servers=peer(f"{other.url}/mcp")))
        until_it_goes.close()
        ((call,), text) = told(live, '[tool peer_who {"query": "x"}][say done]')
    assert (call["is_error"], text) == (True, "done")
    assert call["output"] == "The server of this tool does not answer: peer."


class TestSettings:
    def test_a_server_that_is_not_set_refuses_the_start(self) -> None:
        with pytest.raises(CannotStart, match="GATEHOUSE_MCP_SERVERS lacks peer"):
            used_servers(Settings(_env_file=None), load_registry(OURS))

    def test_two_servers_of_one_name_refuse_the_start(self) -> None:
        own = Entry("/other", helper, "Helps.", mcp_servers=peer("https://a.example/mcp"))
        settings = Settings(_env_file=None, mcp_servers=peer("https://b.example/mcp"))
        with pytest.raises(CannotStart, match="/other: another MCP server than its own is called peer too"):
            used_servers(settings, load_registry([*OURS, own]))

    def test_a_server_of_an_entry_s_own_that_cannot_be_is_refused_without_its_secret(self) -> None:
        own = Entry("/other", helper, "Helps.", mcp_servers=peer("https://a.example", secret="too short"))
        with pytest.raises(BadRegistry, match=r"mcp_servers: peer\.secret: Value should have") as refused:
            load_registry([own])
        assert "too short" not in str(refused.value)

    @pytest.mark.parametrize(
        "value",
        [
            "{",
            '{"Peer": {"url": "https://a.example", "tools": ["*"]}}',
            '{"peer": {"url": "file:///etc/passwd", "tools": ["*"]}}',
            '{"peer": {"url": "https://a.example", "tools": []}}',
            '{"peer": {"url": "https://a.example", "tools": ["*"], "secret": "short"}}',
        ],
    )
    def test_what_cannot_be_is_refused(self, value: str) -> None:
        with pytest.raises(ValidationError):
            Settings(_env_file=None, mcp_servers=value)
