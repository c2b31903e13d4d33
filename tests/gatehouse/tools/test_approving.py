"""Tools of which a person decides on each call: what is asked, and what the model is told."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool, tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command
from scripted_model import ScriptedModel, calls
from sqlalchemy.ext.asyncio import create_async_engine

from gatehouse import BadRegistry, Entry, Parts, acts
from gatehouse.registry.checked import checked
from gatehouse.tools.acting import Act
from gatehouse.tools.building import BadTool, Resources, build_tools
from gatehouse.tools.call_digest import call_digest

CONFIG: Any = {"configurable": {"thread_id": "t"}}
MADE: list[dict[str, Any]] = []


@acts(approval="approve edit reject respond")
@tool
async def transfer(to: str, amount: int) -> str:
    """Send money."""
    return f"sent {amount} to {to}"


@tool
async def look(what: str) -> str:
    """Look something up."""
    return what


@tool
def announce(text: str) -> str:
    """Say something to everybody."""
    MADE.append({"text": text})
    return "said"


async def conduct(act: Act) -> Any:
    MADE.append(dict(act.args))
    return await act.work()


def built(**approve: str) -> list[BaseTool]:
    resources = Resources(create_async_engine("sqlite+aiosqlite://"))
    return build_tools([transfer, look], resources, conduct, approve)


async def after(decision: dict[str, Any], args: dict[str, Any] | None = None) -> ToolMessage:
    """Return what a model is told whose transfer is decided like this."""
    MADE.clear()
    args = args or {"to": "Bob", "amount": 100}
    model = ScriptedModel(script=[calls(("transfer", args)), AIMessage("Done.")])
    agent: Any = create_agent(model, built(), checkpointer=InMemorySaver())
    state = await agent.ainvoke({"messages": [HumanMessage("Pay.")]}, CONFIG)
    for interrupt in state.get("__interrupt__", ()):
        assert MADE == []
        digest = decision.pop("digest", None) or digest_of(interrupt.value)
        state = await agent.ainvoke(Command(resume={interrupt.id: {**decision, "digest": digest}}), CONFIG)
    told = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    return told[-1]


def digest_of(asked: dict[str, Any]) -> str:
    return call_digest(asked["tool"], asked["args"])


class TestDecision:
    async def test_to_approve_makes_the_call(self) -> None:
        told = await after({"type": "approve"})
        assert (told.content, MADE) == ("sent 100 to Bob", [{"to": "Bob", "amount": 100}])

    async def test_to_edit_makes_another_and_says_so(self) -> None:
        told = await after({"type": "edit", "args": {"to": "Eve", "amount": 1}})
        assert MADE == [{"to": "Eve", "amount": 1}]
        assert "A person has changed the arguments" in str(told.content)
        assert str(told.content).endswith("sent 1 to Eve")

    @pytest.mark.parametrize(
        ("decision", "status", "says"),
        [
            ({"type": "reject", "message": "too much"}, "error", "The reason: too much"),
            ({"type": "reject"}, "error", "A person has rejected this call"),
            ({"type": "respond", "message": "sent by hand"}, "success", "sent by hand"),
        ],
    )
    async def test_that_is_another_makes_none(self, decision: Any, status: str, says: str) -> None:
        told = await after(decision)
        assert says in str(told.content)
        assert (told.status, MADE) == (status, [])

    async def test_on_another_call_makes_none(self) -> None:
        told = await after({"type": "approve", "digest": "0" * 64})
        assert "on another call" in str(told.content)
        assert MADE == []


async def test_a_tool_of_a_synchronous_function_waits_as_well() -> None:
    MADE.clear()
    [asked] = build_tools(
        [announce], Resources(create_async_engine("sqlite+aiosqlite://")), conduct, {"announce": "approve"}
    )
    model = ScriptedModel(script=[calls(("announce", {"text": "Hello"})), AIMessage("Done.")])
    agent: Any = create_agent(model, [asked], checkpointer=InMemorySaver())
    state = await agent.ainvoke({"messages": [HumanMessage("Say it.")]}, CONFIG)
    [interrupt] = state["__interrupt__"]
    assert MADE == []
    decision = {"type": "approve", "digest": digest_of(interrupt.value)}
    await agent.ainvoke(Command(resume={interrupt.id: decision}), CONFIG)
    assert MADE == [{"text": "Hello"}]
    with pytest.raises(NotImplementedError, match="waits for a person"):
        asked.invoke({"text": "Hello"})


async def test_nobody_is_asked_about_faulty_arguments() -> None:
    script = [calls(("transfer", {"to": "Bob", "amount": "much"})), AIMessage("Sorry.")]
    agent: Any = create_agent(ScriptedModel(script=script), built(), checkpointer=InMemorySaver())
    state = await agent.ainvoke({"messages": [HumanMessage("Pay.")]}, CONFIG)
    assert "__interrupt__" not in state
    assert "not valid" in str(state["messages"][-2].content)


class TestBuildTools:
    def test_refuses_what_cannot_be_decided(self) -> None:
        with pytest.raises(BadTool, match="approve names what is no tool of the entry: pay"):
            built(pay="approve")
        with pytest.raises(BadTool, match="yes is nothing to decide"):
            built(look="yes")

    def test_an_entry_without_a_checkpointer_is_refused_at_start(self) -> None:
        def build(parts: Parts) -> Any:
            return create_agent(parts.model, list(parts.tools))

        entry = Entry("/pay", build, "Pays.", tools=(look,), approve={"look": "approve"})
        with pytest.raises(
            BadRegistry, match="/pay: look wait for approval: hand its graph the checkpointer"
        ):
            checked("test:REGISTRY", [entry])

    @pytest.mark.parametrize("stops", [{"interrupt_before": ["tools"]}, {"interrupt_after": "*"}])
    @pytest.mark.parametrize("within", [False, True])
    def test_a_graph_that_stops_and_asks_nothing_is_refused_at_start(
        self, stops: dict[str, Any], *, within: bool
    ) -> None:
        def build(parts: Parts) -> Any:
            agent: Any = create_agent(parts.model, [look], checkpointer=parts.checkpointer, **stops)
            if not within:
                return agent
            graph: Any = StateGraph(MessagesState)
            graph.add_node("agent", agent)
            graph.add_edge(START, "agent")
            return graph.compile(checkpointer=parts.checkpointer)

        with pytest.raises(BadRegistry, match=r"/pay: its graph .* call interrupt\(\) in the node"):
            checked("test:REGISTRY", [Entry("/pay", build, "Pays.")])
