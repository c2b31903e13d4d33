"""Tools that an entry offers over MCP without its agent: each call a run, with approvals and the ledger."""

from collections.abc import Iterator
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import ToolException, tool
from langgraph.prebuilt import InjectedState
from live_app import LiveApp, bearer, serving
from mcp_types import Tool
from test_mcp_approvals import DECLINED, Person, connected, says, text_of

from gatehouse import BadRegistry, Entry, Parts
from gatehouse.identity.caller import caller_of
from gatehouse.registry.checked import checked
from gatehouse.tools.acting import acts

SENT: list[tuple[str, int]] = []


@tool
async def rate(currency: str, config: RunnableConfig) -> str:
    """Return the rate of a currency."""
    if currency == "XXX":
        raise ToolException("There is no such currency.")
    return f"{currency} is at 1.07 for {caller_of(config).user_id}"


@acts
@tool
async def send(to: str, amount: int) -> str:
    """Send money."""
    SENT.append((to, amount))
    return f"{amount} went to {to}."


@tool
async def hidden(currency: str) -> str:
    """Is not offered."""
    return currency


@tool
async def stateful(state: Annotated[dict[str, Any], InjectedState]) -> str:
    """Read the state of an agent."""
    return str(state)


def desk(parts: Parts) -> Runnable[Any, Any]:
    return create_agent(parts.model, list(parts.tools), checkpointer=parts.checkpointer)


def entry(**changes: Any) -> Entry:
    said = {
        "tools": [hidden, rate, send],
        "mcp_tools": ["rate", "send"],
        "approve": {"send": "approve edit reject"},
    }
    return Entry("/desk", desk, "Banks.", output_type=AIMessageChunk, **{**said, **changes})


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    lists = {"acme": ["*"], "shut": []}
    with serving(tmp_path_factory.mktemp("mcp-tools"), [entry()], tenant_runnables=lists) as live:
        yield live


@pytest.fixture(autouse=True)
def nothing_sent() -> None:
    SENT.clear()


async def listed(live: LiveApp, **who: Any) -> dict[str, Tool]:
    async with connected(live, None, who=bearer(**who)) as mcp:
        return {tool.name: tool for tool in (await mcp.list_tools()).tools}


@pytest.mark.requirement("mcp.entry-tools")
class TestListed:
    async def test_are_those_that_the_entry_names_with_what_they_take(self, live: LiveApp) -> None:
        tools = await listed(live)
        assert tools.keys() == {"desk__rate", "desk__send"}
        assert tools["desk__send"].input_schema["required"] == ["to", "amount"]
        assert tools["desk__rate"].description == "Return the rate of a currency."
        hints = {name: tool.annotations and tool.annotations.read_only_hint for name, tool in tools.items()}
        assert hints == {"desk__rate": True, "desk__send": False}

    async def test_are_for_who_may_use_the_entry(self, live: LiveApp) -> None:
        assert (await listed(live, scopes=("runnable:desk",))).keys() == {"desk__rate", "desk__send"}
        assert await listed(live, scopes=("runnable:other",)) == {}
        assert await listed(live, tenant="shut") == {}

    async def test_are_no_runnables_of_other_wires(self, live: LiveApp) -> None:
        with live.client() as alice:
            assert [served["name"] for served in alice.get("/api/runnables").json()["items"]] == ["desk"]
            assert [model["id"] for model in alice.get("/v1/models").json()["data"]] == ["desk"]
            asked = {"input": {"arguments": {"currency": "EUR"}}, "runnable": "mcp/desk/rate"}
            assert alice.post("/api/chat", json=asked).status_code == 404


@pytest.mark.requirement("mcp.entry-tools")
class TestCall:
    @pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
    async def test_is_a_run_for_the_caller_in_no_thread(self, live: LiveApp, mode: str) -> None:
        async with connected(live, None, mode) as mcp:
            result = await mcp.call_tool("desk__rate", {"currency": "EUR"})
        assert (text_of(result), result.is_error) == ("EUR is at 1.07 for alice", False)
        assert result.meta is not None
        assert "thread_id" not in result.meta
        with live.client() as alice:
            run = alice.get(f"/api/runs/{result.meta['run_id']}").json()
            assert (run["state"], run["runnable"]) == ("completed", "mcp/desk/rate")
            assert alice.get("/api/threads").json()["items"] == []

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"currency": "XXX"}, "There is no such currency."),
            ({"curency": "EUR"}, "currency: Field required"),
        ],
    )
    async def test_that_fails_says_why(self, live: LiveApp, arguments: dict[str, Any], said: str) -> None:
        async with connected(live, None) as mcp:
            result = await mcp.call_tool("desk__rate", arguments)
        assert result.is_error
        assert said in text_of(result)

    async def test_tells_the_step(self, live: LiveApp) -> None:
        told: list[str | None] = []

        async def hear(progress: float, total: float | None, message: str | None) -> None:
            told.append(message)

        async with connected(live, None) as mcp:
            await mcp.call_tool("desk__rate", {"currency": "EUR"}, progress_callback=hear)
        assert told == ["Using tool: rate", "Tool result: EUR is at 1.07 for alice"]

    async def test_of_one_that_acts_waits_for_a_person_and_is_on_record(self, live: LiveApp) -> None:
        person = Person(says(decision="approve"))
        async with connected(live, person) as mcp:
            result = await mcp.call_tool("desk__send", {"to": "Bob", "amount": 5})
        assert (text_of(result), result.is_error, SENT) == ("5 went to Bob.", False, [("Bob", 5)])
        assert person.asked[0].message.startswith('send is to be called with {"to":"Bob","amount":5}.')
        with live.client() as alice:
            acted = [row for row in alice.get("/api/audit").json()["items"] if row["action"] == "tool.act"]
        assert len(acted) == 1

    async def test_that_a_person_declines_is_not_made(self, live: LiveApp) -> None:
        async with connected(live, Person(DECLINED)) as mcp:
            result = await mcp.call_tool("desk__send", {"to": "Bob", "amount": 5})
        assert (result.is_error, SENT) == (True, [])
        assert "A person has rejected this call" in text_of(result)

    async def test_without_the_scope_is_refused(self, live: LiveApp) -> None:
        call = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "desk__send", "arguments": {}},
        }
        with live.client(bearer(scopes=("runnable:other",))) as alice:
            refused = alice.post("/mcp", json=call)
        assert (refused.status_code, refused.json()["detail"]) == (
            403,
            "This call needs the scope runnable:desk.",
        )

    @pytest.mark.parametrize(
        "odd", ["NaN", "1e999", "[" * 300 + "]" * 300, '"\\ud800"'], ids=lambda odd: odd[:9]
    )
    async def test_in_a_body_that_few_can_read_is_not_made_without_the_scope(
        self, live: LiveApp, odd: str
    ) -> None:
        """Whoever reads more than those who check lets in what was not checked."""
        params = f'{{"name": "desk__rate", "arguments": {{"currency": "EUR"}}, "_meta": {{"x": {odd}}}}}'
        body = f'{{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {params}}}'
        headers = {"content-type": "application/json", "accept": "application/json, text/event-stream"}
        with live.client({**bearer(scopes=("runnable:other",)), **headers}) as alice:
            answer = alice.post("/mcp", content=body)
        assert answer.status_code in (400, 403)
        assert "1.07" not in answer.text


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"mcp_tools": ["unknown"]}, "mcp_tools names what is no tool of its own: unknown"),
        ({"mcp_tools": "rate"}, "mcp_tools is a list of names, not one"),
        ({"tools": [rate, send, stateful], "mcp_tools": ["stateful"]}, "stateful, which takes the state"),
    ],
)
def test_what_cannot_be_offered_is_refused_at_start(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(BadRegistry, match=why):
        checked("mine:LIST", [entry(**changes)])


def test_an_entry_that_is_called_as_a_tool_is_refused() -> None:
    same = Entry("/desk__rate", desk, "Banks.", mcp=True)
    with pytest.raises(BadRegistry, match="another entry the same"):
        checked("mine:LIST", [entry(), same])
