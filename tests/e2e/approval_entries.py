"""What waits for a person in the web client: a tool, a question of a graph, what another decides, what is unknown."""

from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel, Field

from gatehouse import Deciders, Entry, Parts, acts


class Transfer(BaseModel):
    to: str = Field(min_length=1, description="Who gets it.")
    amount: float = Field(gt=0, le=1000, description="In euros.")
    urgent: bool = False


@tool(args_schema=Transfer)
def transfer_money(to: str, amount: float, urgent: bool = False) -> str:
    """Send money from the caller's account."""
    return f"Sent {amount:g} to {to}{' at once' if urgent else ''}."


@acts
@tool
async def send_parcel(to: str) -> str:
    """Send a parcel, of which nothing is heard any more."""
    raise TimeoutError(to)


def agent(parts: Parts) -> Any:
    return create_agent(parts.model, list(parts.tools), checkpointer=parts.checkpointer)


class Travel(BaseModel):
    question: str
    answer: str = ""


def asking(parts: Parts) -> Any:
    """Return a graph that asks something back before it answers."""

    def ask(state: Travel) -> dict[str, Any]:
        city = interrupt("Which city do you mean?")
        return {"answer": f"{state.question} In {city}."}

    graph = StateGraph(Travel)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    return graph.compile(checkpointer=parts.checkpointer)


ANYTHING = {"transfer_money": "approve edit reject respond"}
REGISTRY = [
    Entry("/pay", agent, "Pays.", tools=(transfer_money,), approve=ANYTHING, output_type=AIMessageChunk),
    Entry(
        "/checked",
        agent,
        "Pays what another allows.",
        tools=(transfer_money,),
        approve=ANYTHING,
        deciders=Deciders(four_eyes=True),
        output_type=AIMessageChunk,
    ),
    Entry("/parcel", agent, "Sends parcels.", tools=(send_parcel,), output_type=AIMessageChunk),
    Entry("/ask", asking, "Asks back."),
]
