"""What the web client shows beside text: a form, sources, progress, the state of a graph, an answer cut off."""

from datetime import date
from typing import Any, Literal, TypedDict

from langchain_core.documents import Document
from langchain_core.language_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableLambda
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from pydantic import BaseModel, Field

from gatehouse import Entry, Parts


class Person(BaseModel):
    name: str = Field(min_length=2)
    member: bool = False


class Order(BaseModel):
    """An order at the exchange."""

    symbol: str = Field(pattern="^[A-Z]{1,5}$", description="As the exchange has it.")
    quantity: int = Field(1, ge=1, le=100)
    kind: Literal["buy", "sell"] = "buy"
    since: date | None = None
    tags: list[str] = []
    buyer: Person
    more: dict[str, int] = {}


def ordered(order: dict[str, Any]) -> str:
    """Return what was ordered, as a person would say it."""
    tags = f", tagged {' and '.join(order['tags'])}" if order["tags"] else ""
    return f"**{order['kind']} {order['quantity']} {order['symbol']}** for {order['buyer']['name']}{tags}."


class Read(TypedDict, total=False):
    question: str
    context: list[Document]
    plan: dict[str, Any]
    answer: str


def reading(_: Parts) -> Any:
    """Return a graph that tells of its progress and its state, and answers from documents."""

    def retrieve(state: Read) -> Read:
        write = get_stream_writer()
        for done in range(1, 4):
            write({"message": "Reading", "done": done, "total": 3})
        about = {"source": "bonds.md", "page": 3}, {"title": "Shares", "url": "https://example.com/shares"}
        texts = "A bond is a loan that pays interest.", "A share is a part of a company. " * 20
        context = [Document(text, metadata=data) for text, data in zip(texts, about, strict=True)]
        return {"context": context, "plan": {"steps": [{"of": {"depth": 3}}]}}

    def answer(state: Read) -> Read:
        return {"answer": f"From {len(state['context'])} documents: it depends."}

    graph = StateGraph(Read)
    graph.add_node("retrieve", retrieve)
    graph.add_node("answer", answer)
    graph.add_edge(START, "retrieve")
    graph.add_edge("retrieve", "answer")
    graph.add_edge("answer", END)
    return graph.compile()


def ended(text: str, reason: str) -> AIMessage:
    return AIMessage(text, response_metadata={"finish_reason": reason})


CUT = FakeMessagesListChatModel(
    responses=[ended("It goes on", "length"), ended("and comes to its end.", "stop")]
)


class Dated(MessagesState):
    day: date


def dated(_: Parts) -> Any:
    def answer(state: Dated) -> dict[str, Any]:
        said = [message.text for message in state["messages"] if isinstance(message, HumanMessage)]
        return {"messages": [AIMessage(f"{said[-1]} on {state.get('day', 'any day')}")]}

    graph = StateGraph(Dated)
    graph.add_node("answer", answer)
    graph.add_edge(START, "answer")
    return graph.compile()


REGISTRY = [
    Entry("/order", lambda _: RunnableLambda(ordered), "Orders.", input_type=Order, output_type=str),
    Entry("/total", lambda _: RunnableLambda(sum), "Adds numbers.", input_type=list[int], output_type=int),
    Entry("/read", reading, "Reads.", shows_state=True),
    Entry("/cut", lambda _: CUT, "Is cut off."),
    Entry("/dated", dated, "Takes a question, and a day."),
]
