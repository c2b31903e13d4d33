"""Tools of other MCP servers that ask a person, or have to wait for one: here those of another Gatehouse."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from live_app import JWT_SECRET, LiveApp, serving
from pydantic import BaseModel
from scripted_model import ScriptedModel

from gatehouse import Entry, Parts

ASK = {"query": "Go."}
CITY = {"type": "object", "properties": {"city": {"type": "string", "minLength": 3}}, "required": ["city"]}
CALLED: list[str] = []


class Travel(BaseModel):
    question: str
    answer: str = ""


def booking(parts: Parts) -> Any:
    """Return a graph of the other house, which asks its caller where to."""

    async def book(state: Travel) -> dict[str, Any]:
        answer = interrupt("Which city?", response_schema=CITY)
        CALLED.append(answer["city"])
        return {"answer": f"{state.question} {answer['city']}"}

    graph = StateGraph(Travel)
    graph.add_node("book", book)
    graph.add_edge(START, "book")
    return graph.compile(checkpointer=parts.checkpointer)


async def slow(_input: Any) -> str:
    CALLED.append("slow")
    await asyncio.sleep(5)
    return "late"


async def paid(_input: Any) -> str:
    CALLED.append("paid")
    return "paid"


OTHERS = [
    Entry("/book", booking, "Books.", mcp=True),
    Entry("/slow", lambda _: RunnableLambda(slow), "Is slow.", mcp=True),
    Entry("/pay", lambda _: RunnableLambda(paid), "Pays.", mcp=True),
]


def calling(tool: str) -> Any:
    """Return a factory of an agent that calls one tool of the other house."""

    def build(parts: Parts) -> Runnable[Any, Any]:
        call = {"name": tool, "args": {"query": "To"}, "id": "call-1"}
        model = ScriptedModel(script=[AIMessage("", tool_calls=[call]), AIMessage("It is done.")] * 9)
        return create_agent(model, list(parts.tools), checkpointer=parts.checkpointer)

    return build


def agent(path: str, tool: str, server: str, **more: Any) -> Entry:
    return Entry(path, calling(tool), "Calls.", output_type=AIMessageChunk, mcp_servers=(server,), **more)


OURS = [
    agent("/booker", "peer_book", "peer"),
    agent("/waits", "peer_slow", "peer"),
    agent("/careful", "checked_pay", "checked"),
]


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with serving(tmp_path_factory.mktemp("other"), OTHERS) as live:
        yield live


def server(url: str, **more: Any) -> dict[str, Any]:
    return {"url": url, "tools": ["*"], "secret": JWT_SECRET, "audience": "gatehouse", "scope": "*", **more}


@pytest.fixture(scope="module")
def client(other: LiveApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    url = f"{other.url}/mcp"
    servers = {"peer": server(url, timeout=1), "checked": server(url, approve="approve reject")}
    with serving(tmp_path_factory.mktemp("ours"), OURS, mcp_servers=servers) as live, live.client() as alice:
        yield alice


@pytest.fixture(autouse=True)
def nothing_called() -> None:
    CALLED.clear()


def waiting(client: httpx.Client, runnable: str) -> tuple[str, dict[str, Any]]:
    """Return a run that waits, and what for."""
    answer = client.post("/api/chat", json={**ASK, "runnable": runnable})
    assert answer.status_code == 202, answer.text
    (approval,) = answer.json()["approvals"]
    return answer.json()["run_id"], approval


def decided(client: httpx.Client, approval: dict[str, Any], **decision: Any) -> httpx.Response:
    body = {"digest": approval["digest"], **decision}
    return client.post(f"/api/approvals/{approval['id']}/decision", json=body)


def told(client: httpx.Client, run_id: str) -> str:
    """Return what the run told of its tool's call, when it has ended."""
    text = client.get(f"/api/runs/{run_id}/stream", headers={"last-event-id": "1-9999"}).text
    assert '"status":"completed"' in text
    thread = client.get(f"/api/runs/{run_id}").json()["thread_id"]
    (call,) = client.get(f"/api/threads/{thread}/messages").json()["items"][-1]["tool_calls"]
    return str(call["output"])


@pytest.mark.requirement("mcp.used.elicitation")
class TestElicitation:
    def test_is_an_approval_and_the_answer_goes_to_the_server(self, client: httpx.Client) -> None:
        run_id, approval = waiting(client, "booker")
        assert (approval["kind"], approval["description"]) == ("input", "Which city?")
        assert approval["value"]["requested_schema"] == CITY
        answer = {"action": "accept", "content": {"city": "Rome"}}
        assert decided(client, approval, decision="respond", response=answer).status_code == 200
        assert "To Rome" in told(client, run_id)
        assert CALLED == ["Rome"]

    def test_that_is_declined_is_told_to_the_model(self, client: httpx.Client) -> None:
        run_id, approval = waiting(client, "booker")
        decided(client, approval, decision="respond", response={"action": "decline"})
        assert "waits for a person" in told(client, run_id)
        assert CALLED == []

    @pytest.mark.parametrize(
        "answer", [{}, {"action": "accept"}, {"action": "accept", "content": {"city": "X"}}]
    )
    def test_is_answered_by_its_form_alone(self, client: httpx.Client, answer: dict[str, Any]) -> None:
        _, approval = waiting(client, "booker")
        assert decided(client, approval, decision="respond", response=answer).status_code == 422


@pytest.mark.requirement("mcp.used.acting")
class TestActing:
    def test_a_tool_of_a_server_that_says_so_waits_for_a_person(self, client: httpx.Client) -> None:
        run_id, approval = waiting(client, "careful")
        assert (approval["kind"], approval["tool"], CALLED) == ("tool", "checked_pay", [])
        decided(client, approval, decision="approve")
        assert (told(client, run_id), CALLED) == ("paid", ["paid"])

    def test_a_call_that_was_sent_and_not_answered_is_unknown_and_a_person_decides(
        self, client: httpx.Client
    ) -> None:
        run_id, approval = waiting(client, "waits")
        assert (approval["kind"], CALLED) == ("effect", ["slow"])
        decided(client, approval, decision="happened", result="It was.")
        assert (told(client, run_id), CALLED) == ("It was.", ["slow"])


def test_a_server_that_is_away_costs_what_is_said_of_its_tools_too(tmp_path: Path) -> None:
    entry = agent("/careful", "checked_pay", "checked", approve={"checked_pay": "approve"})
    away = {"checked": server("http://127.0.0.1:9/mcp")}
    with serving(tmp_path, [entry], mcp_servers=away) as live, live.client() as alice:
        assert alice.post("/api/chat", json=ASK).status_code == 200
