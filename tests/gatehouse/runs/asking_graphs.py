"""Graphs that ask people, and what they did."""

import operator
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool, tool
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from gatehouse.runs.sources.graphs.streaming_agent import ContainToolFailures


class Said(TypedDict):
    said: Annotated[list[Any], operator.add]


@dataclass
class Bank:
    """What was paid, and by which nodes something was done."""

    paid: list[tuple[str, int]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def transfer(self) -> BaseTool:
        @tool
        async def transfer(to: str, amount: int) -> str:
            """Send money."""
            self.paid.append((to, amount))
            return f"sent {amount} to {to}"

        return transfer

    def agent(self, model: BaseChatModel, checkpointer: Any, mode: Any) -> Any:
        """Return an agent whose transfers LangChain's middleware asks about."""
        asked = HumanInTheLoopMiddleware({"transfer": True}, interrupt_mode=mode)
        return create_agent(
            model, [self.transfer()], middleware=[ContainToolFailures(), asked], checkpointer=checkpointer
        )

    def form(self, checkpointer: Any) -> Any:
        """Return a graph that asks in its first step: two things after one another, and one in a subgraph."""

        def ask(_: Said) -> Said:
            return {"said": [interrupt({"name": "?"}), interrupt("sure?")]}

        def inner(_: Said) -> Said:
            return {"said": [interrupt("inside?")]}

        def beside(_: Said) -> Said:
            self.done.append("beside")
            return {"said": ["beside"]}

        within: Any = StateGraph(Said)
        within.add_node("inner", inner)
        within.add_edge(START, "inner")
        whole: Any = StateGraph(Said)
        for name, node in (("ask", ask), ("beside", beside), ("within", within.compile())):
            whole.add_node(name, node)
            whole.add_edge(START, name)
        return whole.compile(checkpointer=checkpointer)


def transfers(*amounts: int, text: str = "I transfer.") -> list[AIMessage]:
    """Return what a model says that transfers these amounts to Bob, and that it is done."""
    made = [
        {"name": "transfer", "args": {"to": "Bob", "amount": amount}, "id": f"call-{amount}"}
        for amount in amounts
    ]
    return [AIMessage(text, tool_calls=made), AIMessage("It is done.")]
