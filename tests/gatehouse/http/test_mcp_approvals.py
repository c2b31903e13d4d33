"""Approvals over MCP: what a call waits for is asked of the client's user, and the same run goes on."""

import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from live_app import LiveApp, bearer, serving
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, ElicitRequestParams, ElicitResult, InputRequiredResult, InputResponses
from pydantic import BaseModel
from test_approvals import PAID, paying

from gatehouse import Deciders, Entry, Parts

REVISION = "2026-07-28"
PAY = {"query": "Pay Bob."}
CITY = {"type": "object", "properties": {"city": {"type": "string", "minLength": 3}}, "required": ["city"]}


class Travel(BaseModel):
    question: str = ""
    city: str = ""
    answer: str = ""


def travelling(parts: Parts) -> Any:
    """Return a graph that asks two things, one after the other."""

    async def where(state: Travel) -> dict[str, Any]:
        return {"city": state.city or interrupt("Which city?", response_schema=CITY)["city"]}

    async def when(state: Travel) -> dict[str, Any]:
        day = interrupt("Which day?")
        return {"answer": f"To {state.city} on {day}."}

    graph = StateGraph(Travel)
    graph.add_node("where", where)
    graph.add_node("when", when)
    graph.add_edge(START, "where")
    graph.add_edge("where", "when")
    return graph.compile(checkpointer=parts.checkpointer)


REGISTRY = [
    Entry("/pay", paying, "Pays.", mcp=True),
    Entry("/checked", paying, "Pays what another allows.", mcp=True, deciders=Deciders(four_eyes=True)),
    Entry("/travel", travelling, "Books.", mcp=True),
]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with serving(tmp_path_factory.mktemp("mcp-approvals"), REGISTRY) as live:
        yield live


@pytest.fixture(autouse=True)
def nothing_paid() -> None:
    PAID.clear()


class Person:
    """Who sits before the client, and answers what is asked with these, one after the other."""

    def __init__(self, *answers: ElicitResult) -> None:
        self._answers = list(answers)
        self.asked: list[Any] = []

    async def __call__(self, context: Any, params: ElicitRequestParams) -> ElicitResult:
        self.asked.append(params)
        return self._answers.pop(0)


def says(**content: Any) -> ElicitResult:
    return ElicitResult(action="accept", content=content)


DECLINED, LEFT = ElicitResult(action="decline"), ElicitResult(action="cancel")


@asynccontextmanager
async def connected(
    live: LiveApp, person: Person | None, mode: str = REVISION, who: Mapping[str, str] | None = None
) -> AsyncIterator[Client]:
    async with httpx2.AsyncClient(headers=dict(who or bearer()), timeout=20) as http:
        transport = streamable_http_client(f"{live.url}/mcp", http_client=http)
        async with Client(transport, mode=mode, elicitation_callback=person) as mcp:
            yield mcp


async def called(
    live: LiveApp, tool: str, arguments: dict[str, Any], person: Person | None
) -> CallToolResult:
    async with connected(live, person) as mcp:
        return await mcp.call_tool(tool, arguments)


def text_of(result: CallToolResult) -> str:
    return "".join(getattr(block, "text", "") for block in result.content)


async def waiting(mcp: Client, tool: str = "pay") -> tuple[str, str]:
    """Return the state and the approval of a call that waits."""
    result = await mcp.session.call_tool(tool, PAY, allow_input_required=True)
    assert isinstance(result, InputRequiredResult)
    (approval,) = result.input_requests or {}
    return str(result.request_state), approval


@pytest.mark.requirement("mcp.approvals")
class TestCallThatWaits:
    async def test_is_made_when_the_client_s_user_approves(self, live: LiveApp) -> None:
        person = Person(says(decision="approve"))
        result = await called(live, "pay", PAY, person)
        assert (text_of(result), result.is_error, PAID) == ("It is done.", False, [100])
        (asked,) = person.asked
        assert asked.message.startswith('transfer is to be called with {"to":"Bob","amount":100}.')
        assert "approve" in asked.requested_schema["properties"]["decision"]["enum"]

    @pytest.mark.parametrize("answer", [says(decision="reject", message="Not now."), DECLINED])
    async def test_is_not_made_when_they_do_not(self, live: LiveApp, answer: ElicitResult) -> None:
        result = await called(live, "pay", PAY, Person(answer))
        assert (text_of(result), PAID) == ("It is done.", [])  # what the scripted model says next

    async def test_is_asked_again_with_what_was_wrong(self, live: LiveApp) -> None:
        person = Person(says(decision="perhaps"), says(), says(decision="approve"))
        await called(live, "pay", PAY, person)
        first, *others = [asked.message for asked in person.asked]
        assert all(message.endswith(f"\n{first}") for message in others)
        assert PAID == [100]

    @pytest.mark.parametrize("mode", [REVISION, "legacy"])
    async def test_of_a_client_that_asks_nobody_says_where_it_waits(self, live: LiveApp, mode: str) -> None:
        async with connected(live, None, mode) as mcp:
            result = await mcp.call_tool("pay", PAY)
        assert result.is_error
        assert "/api/approvals" in text_of(result)
        assert result.meta is not None
        (approval,) = result.meta["approval_ids"]
        with live.client() as alice:
            assert alice.get(f"/api/approvals/{approval}").json()["status"] == "pending"

    async def test_goes_on_waiting_when_they_leave_it_open(self, live: LiveApp) -> None:
        result = await called(live, "pay", PAY, Person(LEFT))
        assert result.is_error
        with live.client() as alice:
            run = alice.get(f"/api/runs/{(result.meta or {})['run_id']}").json()
        assert (run["state"], PAID) == ("waiting", [])

    async def test_that_another_has_to_decide_is_not_asked_of_them(self, live: LiveApp) -> None:
        person = Person()
        result = await called(live, "checked", PAY, person)
        assert (result.is_error, person.asked) == (True, [])

    async def test_asks_what_a_graph_asks_once_for_each(self, live: LiveApp) -> None:
        person = Person(says(city="Rome"), says(response="Monday"))
        result = await called(live, "travel", {"query": "Book."}, person)
        assert result.structured_content is not None
        assert result.structured_content["answer"] == "To Rome on Monday."
        first, second = person.asked
        assert (first.message, first.requested_schema) == ("Which city?", CITY)
        assert (second.message, second.requested_schema["required"]) == ("Which day?", ["response"])

    async def test_takes_an_answer_by_the_schema_alone(self, live: LiveApp) -> None:
        person = Person(says(city="X"), says(city="Rome"), says(response="Monday"))
        await called(live, "travel", {"query": "Book."}, person)
        assert person.asked[1].message.splitlines()[0].endswith("is too short")


@pytest.mark.requirement("mcp.approvals")
class TestState:
    async def test_is_taken_again_and_nothing_is_done_twice(self, live: LiveApp) -> None:
        async with connected(live, Person()) as mcp:
            state, approval = await waiting(mcp)
            answers: InputResponses = {approval: says(decision="approve")}
            told = [
                await mcp.session.call_tool("pay", PAY, input_responses=answers, request_state=state)
                for _ in range(2)
            ]
        assert [text_of(result) for result in told] == ["It is done."] * 2
        assert PAID == [100]

    async def test_goes_on_with_what_was_decided_elsewhere(self, live: LiveApp) -> None:
        async with connected(live, Person()) as mcp:
            state, approval = await waiting(mcp)
            with live.client() as alice:
                digest = alice.get(f"/api/approvals/{approval}").json()["digest"]
                decision = {"decision": "approve", "digest": digest}
                alice.post(f"/api/approvals/{approval}/decision", json=decision)
            result = await mcp.session.call_tool("pay", PAY, request_state=state)
        assert (text_of(result), PAID) == ("It is done.", [100])

    @pytest.mark.parametrize(
        "changed", [lambda state: f"{state}-x", lambda _: "x", lambda _: f"{uuid.uuid4()}.1-1"]
    )
    async def test_that_is_none_of_ours_is_refused(self, live: LiveApp, changed: Any) -> None:
        async with connected(live, Person()) as mcp:
            state, approval = await waiting(mcp)
            with pytest.raises(MCPError, match="requestState"):
                await mcp.session.call_tool(
                    "pay",
                    PAY,
                    input_responses={approval: says(decision="approve")},
                    request_state=changed(state),
                )
        assert PAID == []

    @pytest.mark.parametrize(("tool", "arguments"), [("pay", {"query": "Else."}), ("checked", PAY)])
    async def test_is_that_of_one_call(self, live: LiveApp, tool: str, arguments: dict[str, Any]) -> None:
        async with connected(live, Person()) as mcp:
            state, _ = await waiting(mcp)
            with pytest.raises(MCPError, match="requestState"):
                await mcp.session.call_tool(tool, arguments, request_state=state)

    async def test_is_not_taken_from_a_credential_that_may_read_runs_alone(self, live: LiveApp) -> None:
        async with connected(live, Person()) as mcp:
            state, _ = await waiting(mcp)
        reader = bearer(scopes=["runnable:pay", "runs:read"])
        async with connected(live, Person(), who=reader) as mcp:
            result = await mcp.session.call_tool("pay", PAY, request_state=state)
        assert isinstance(result, CallToolResult)
        assert "runs:write" in text_of(result)

    async def test_is_its_caller_s_alone(self, live: LiveApp) -> None:
        async with connected(live, Person()) as mcp:
            state, approval = await waiting(mcp)
        async with connected(live, Person(), who=bearer("bob", "beta")) as bob:
            answers: InputResponses = {approval: says(decision="approve")}
            with pytest.raises(MCPError, match="requestState"):
                await bob.session.call_tool("pay", PAY, input_responses=answers, request_state=state)
        assert PAID == []
