"""Graphs that people build with LangGraph and agents of LangChain, small."""

import dataclasses
import operator
from datetime import date
from typing import Annotated, Any, Literal, TypedDict, cast

from corpus_case import ANSWER, HUMAN, SAID, Case, Json
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, SummarizationMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from langchain_core.runnables import RunnableLambda, RunnableParallel, RunnablePassthrough
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, MessagesState, StateGraph, add_messages
from langgraph.prebuilt import ToolNode
from langgraph.runtime import Runtime
from langgraph.types import Command, Send
from pydantic import BaseModel

from gatehouse import Parts


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool(return_direct=True)
def last_word(text: str) -> str:
    """Have the last word."""
    return f"Last: {text}"


class Joke(TypedDict):
    topic: str
    draft: str
    joke: str


def own_state(parts: Parts) -> Any:
    """Return a graph with a state of its own, a model in two of its nodes, and a stream writer."""

    async def draft(state: Joke) -> Json:
        get_stream_writer()({"step": "drafting"})
        message = await parts.model.ainvoke("[say a draft]")
        return {"draft": message.text}

    async def polish(state: Joke) -> Json:
        message = await parts.model.ainvoke("[say the joke]")
        return {"joke": message.text}

    graph = StateGraph(Joke)
    graph.add_node("draft", draft)
    graph.add_node("polish", polish)
    graph.add_edge(START, "draft")
    graph.add_edge("draft", "polish")
    graph.add_edge("polish", END)
    return graph.compile(checkpointer=parts.checkpointer)


class Asked(TypedDict):
    question: str
    answer: str


def state_with_answer(parts: Parts) -> Any:
    async def think(state: Asked) -> Json:
        await parts.model.ainvoke("[say thinking aloud]")
        return {}

    async def respond(state: Asked) -> Json:
        message = await parts.model.ainvoke(state["question"])
        return {"answer": message.text}

    graph = StateGraph(Asked)
    graph.add_node("think", think)
    graph.add_node("respond", respond)
    graph.add_edge(START, "think")
    graph.add_edge("think", "respond")
    return graph.compile()


def with_subgraph(parts: Parts) -> Any:
    async def speak(state: MessagesState) -> Json:
        return {"messages": [await parts.model.ainvoke(state["messages"])]}

    inner = StateGraph(MessagesState)
    inner.add_node("speak", speak)
    inner.add_edge(START, "speak")
    outer = StateGraph(MessagesState)
    outer.add_node("expert", inner.compile())
    outer.add_edge(START, "expert")
    return outer.compile()


def router(parts: Parts) -> Any:
    """Return a graph in which a model routes, and another answers."""

    class Routed(MessagesState):
        route: str

    async def classify(state: Routed) -> Json:
        return {"route": (await parts.model.ainvoke("[say billing]")).text}

    async def billing(state: Routed) -> Json:
        return {"messages": [await parts.model.ainvoke(state["messages"])]}

    def where(state: Routed) -> Literal["billing"]:
        return "billing"

    graph = StateGraph(Routed)
    graph.add_node("classify", classify)
    graph.add_node("billing", billing)
    graph.add_edge(START, "classify")
    graph.add_conditional_edges("classify", where)
    return graph.compile()


def planner(parts: Parts) -> Any:
    """Return a graph in which two nodes write messages, and either may end it: only the last answers."""

    async def plan(state: MessagesState) -> Command[Literal["write", "__end__"]]:
        message = await parts.model.ainvoke("[say First I plan.]")
        return Command(update={"messages": [message]}, goto="write")

    async def write(state: MessagesState) -> Json:
        return {"messages": [await parts.model.ainvoke(state["messages"][:1])]}

    graph = StateGraph(MessagesState)
    graph.add_node("plan", plan)
    graph.add_node("write", write)
    graph.add_edge(START, "plan")
    return graph.compile()


def critic(parts: Parts) -> Any:
    """Return a graph in which the answering node is followed by another that asks a model and says nothing."""

    async def write(state: MessagesState) -> Json:
        return {"messages": [await parts.model.ainvoke(state["messages"])]}

    async def judge(state: MessagesState) -> Json:
        await parts.model.ainvoke("[say good enough]")
        return {}

    graph = StateGraph(MessagesState)
    graph.add_node("write", write)
    graph.add_node("judge", judge)
    graph.add_edge(START, "write")
    graph.add_edge("write", "judge")
    return graph.compile()


class Mapped(TypedDict):
    words: list[str]
    lengths: Annotated[list[int], operator.add]


def map_reduce(_parts: Parts) -> Any:
    def spread(state: Mapped) -> list[Send]:
        return [Send("measure", {"word": word}) for word in state["words"]]

    def measure(state: Json) -> Json:
        return {"lengths": [len(state["word"])]}

    graph = StateGraph(Mapped)
    graph.add_node("measure", cast("Any", measure))  # it takes what is sent, not the state
    graph.add_conditional_edges(START, spread, ["measure"])
    return graph.compile()


class Order(BaseModel):
    """A state that pydantic checks."""

    day: date
    amount: int = 1
    total: int = 0


def pydantic_state(_parts: Parts) -> Any:
    def price(state: Order) -> Json:
        assert isinstance(state.day, date)
        return {"total": state.amount * 3}

    graph = StateGraph(Order)
    graph.add_node("price", price)
    graph.add_edge(START, "price")
    return graph.compile()


def agent_whose_tool_asks_a_model(parts: Parts) -> Any:
    @tool
    async def ask(question: str) -> str:
        """Ask another model."""
        return (await parts.model.ainvoke("[say another's words]")).text

    return create_agent(parts.model, [ask])


class Closing(AgentMiddleware[Any, Any]):
    """Looks at what the model said, after it: the model's node is not the last one."""

    def after_model(self, state: Any, runtime: Any) -> None:
        return None


class Weather(BaseModel):
    """What an agent is to return."""

    city: str


def structured_agent(parts: Parts) -> Any:
    return create_agent(parts.model, [add], response_format=ToolStrategy(Weather))


class Stale(TypedDict):
    messages: Annotated[list[BaseMessage], operator.add]
    steps: int


def plain_list_state(parts: Parts) -> Any:
    async def speak(state: Stale) -> Json:
        return {"messages": [await parts.model.ainvoke(state["messages"])], "steps": 1}

    graph = StateGraph(Stale)
    graph.add_node("speak", speak)
    graph.add_edge(START, "speak")
    return graph.compile()


def functional(parts: Parts) -> Any:
    """Return a graph of LangGraph's functional API."""

    @task
    async def ask(question: str) -> str:
        return (await parts.model.ainvoke(question)).text

    @entrypoint()
    async def work(value: Json) -> Json:
        return {"answer": await ask(value["question"]), "asked": 1}

    return work


class Question(TypedDict):
    question: str


class Answered(TypedDict):
    answer: str


class Private(Question, Answered):
    secret: str


def in_and_out(parts: Parts) -> Any:
    """Return a graph that returns less than its nodes keep for themselves."""

    async def respond(state: Question) -> Json:
        return {"answer": (await parts.model.ainvoke(state["question"])).text, "secret": "kept"}

    graph = StateGraph(Private, input_schema=Question, output_schema=Answered)
    graph.add_node("respond", respond)
    graph.add_edge(START, "respond")
    return graph.compile()


@dataclasses.dataclass
class Language:
    """What a graph is told beside its input."""

    code: str = "en"


def with_context(parts: Parts) -> Any:
    async def speak(state: MessagesState, runtime: Runtime[Language]) -> Json:
        return {"messages": [await parts.model.ainvoke(state["messages"])]}

    graph = StateGraph(MessagesState, context_schema=Language)
    graph.add_node("speak", speak)
    graph.add_edge(START, "speak")
    return graph.compile()


@dataclasses.dataclass
class Topic:
    """A state that is a dataclass."""

    topic: str
    title: str = ""


def dataclass_state(_parts: Parts) -> Any:
    def name(state: Topic) -> Json:
        return {"title": state.topic.upper()}

    graph = StateGraph(Topic)
    graph.add_node("name", name)
    graph.add_edge(START, "name")
    return graph.compile()


def supervisor(parts: Parts) -> Any:
    """Return a graph in which one agent hands over to another, and ends it when that has answered."""

    async def decide(state: MessagesState) -> Command[Literal["worker", "__end__"]]:
        if isinstance(state["messages"][-1], AIMessage):
            return Command(goto="__end__")
        await parts.model.ainvoke("[say the worker should]")
        return Command(goto="worker")

    graph = StateGraph(MessagesState)
    graph.add_node("decide", decide)
    graph.add_node("worker", create_agent(parts.model, [add], name="worker"))
    graph.add_edge(START, "decide")
    graph.add_edge("worker", "decide")
    return graph.compile()


def graph_in_a_node(parts: Parts) -> Any:
    inner = create_agent(parts.model, [])

    async def ask(state: MessagesState) -> Json:
        asked: Any = {"messages": state["messages"]}
        return {"messages": [(await inner.ainvoke(asked))["messages"][-1]]}

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    return graph.compile()


class Extra(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]
    language: str


def messages_and_more(parts: Parts) -> Any:
    async def speak(state: Extra) -> Json:
        return {"messages": [await parts.model.ainvoke(state["messages"])]}

    graph = StateGraph(Extra)
    graph.add_node("speak", speak)
    graph.add_edge(START, "speak")
    return graph.compile()


def tool_node(_parts: Parts) -> Any:
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([add]))
    graph.add_edge(START, "tools")
    return graph.compile()


class Jumping(AgentMiddleware[Any, Any]):
    """Answers in the model's place."""

    def before_model(self, state: Any, runtime: Any) -> Json:
        return {"messages": [AIMessage("Not today.")], "jump_to": "end"}

    before_model.__can_jump_to__ = ["end"]  # type: ignore[attr-defined]  # as hook_config does


def returned_by_a_function(parts: Parts) -> Any:
    agent = create_agent(parts.model, [])
    return RunnableLambda(lambda _value: agent)


WEATHER = '[tool Weather {"city": "Bern"}]'
CALLS_ADD = {"name": "add", "args": {"a": 1, "b": 2}, "id": "1", "type": "tool_call"}

GRAPHS: dict[str, Case] = {
    "own_state": Case(own_state, {"topic": "bonds"}, "bonds", adds_up=False),
    "own_state_behind_passthrough": Case(
        lambda parts: RunnablePassthrough() | own_state(parts), {"topic": "bonds"}, None, adds_up=False
    ),
    "state_with_answer": Case(state_with_answer, {"question": SAID}, SAID, ANSWER, adds_up=False),
    "subgraph": Case(with_subgraph, HUMAN, SAID, ANSWER, adds_up=False),
    "router": Case(router, HUMAN, SAID, ANSWER, adds_up=False),
    "planner": Case(planner, HUMAN, SAID, ANSWER, adds_up=False),
    "critic": Case(critic, HUMAN, SAID, ANSWER, adds_up=False),
    "critic_with_named_node": Case(
        critic, HUMAN, SAID, ANSWER, adds_up=False, entry={"answering": ["write"]}
    ),
    "map_reduce": Case(map_reduce, {"words": ["a", "bcd"]}, None, adds_up=False),
    "pydantic_state": Case(pydantic_state, {"day": "2026-11-30", "amount": 2}, None, adds_up=False),
    "plain_list_state": Case(plain_list_state, HUMAN, SAID, ANSWER, adds_up=False),
    "agent": Case(lambda parts: create_agent(parts.model, [add]), HUMAN, SAID, ANSWER, adds_up=False),
    "agent_with_tool": Case(
        lambda parts: create_agent(parts.model, [add]),
        {"messages": [{"type": "human", "content": '[tool add {"a": 1, "b": 2}] [say It is 3.]'}]},
        '[tool add {"a": 1, "b": 2}] [say It is 3.]', "It is 3.", adds_up=False,
    ),
    "agent_that_speaks_before_its_tool": Case(
        lambda parts: create_agent(parts.model, [add]),
        {"messages": [{"type": "human", "content": '[say Let me see.] [tool add {"a": 1, "b": 2}] [say It is 3.]'}]},
        '[say Let me see.] [tool add {"a": 1, "b": 2}] [say It is 3.]', "Let me see.\n\nIt is 3.", adds_up=False,
    ),
    "agent_with_the_last_word": Case(
        lambda parts: create_agent(parts.model, [last_word]),
        {"messages": [{"type": "human", "content": '[tool last_word {"text": "x"}]'}]},
        '[tool last_word {"text": "x"}]', "Last: x", adds_up=False,
    ),
    "agent_as_a_message": Case(
        lambda parts: create_agent(parts.model, [add]),
        {"input": '[say Let me see.] [tool add {"a": 1, "b": 2}] [say It is 3.]'},
        '[say Let me see.] [tool add {"a": 1, "b": 2}] [say It is 3.]', "Let me see.\n\nIt is 3.",
        entry={"output_type": AIMessage},
    ),
    "agent_with_summaries": Case(
        lambda parts: create_agent(
            parts.model, [add],
            middleware=[SummarizationMiddleware(parts.model, trigger=("messages", 2), keep=("messages", 1))],
        ),
        {"messages": [*({"type": "human", "content": f"old {n}"} for n in range(3)), *HUMAN["messages"]]},
        None, ANSWER, adds_up=False,
    ),
    "agent_with_middleware_after": Case(
        lambda parts: create_agent(parts.model, [add], middleware=[Closing()]), HUMAN, SAID, ANSWER, adds_up=False
    ),
    "agent_whose_tool_asks": Case(
        agent_whose_tool_asks_a_model,
        {"messages": [{"type": "human", "content": '[tool ask {"question": "x"}] [say It said so.]'}]},
        '[tool ask {"question": "x"}] [say It said so.]', "It said so.", adds_up=False,
    ),
    "structured_agent": Case(
        structured_agent, {"messages": [{"type": "human", "content": WEATHER}]}, WEATHER, adds_up=False
    ),
    "graph_then_text": Case(
        lambda parts: create_agent(parts.model, []) | RunnableLambda(lambda state: state["messages"][-1].text),
        HUMAN, SAID, ANSWER, adds_up=False,
    ),
    "functional": Case(functional, {"question": SAID}, None, ANSWER, adds_up=False),
    "in_and_out": Case(in_and_out, {"question": SAID}, SAID, ANSWER, adds_up=False),
    "with_context": Case(with_context, HUMAN, SAID, ANSWER, adds_up=False),
    "dataclass_state": Case(dataclass_state, {"topic": "bonds"}, "bonds", adds_up=False),
    "supervisor": Case(supervisor, HUMAN, SAID, ANSWER, adds_up=False),
    "graph_in_a_node": Case(graph_in_a_node, HUMAN, SAID, ANSWER, adds_up=False),
    "messages_and_more": Case(messages_and_more, {**HUMAN, "language": "en"}, None, ANSWER, adds_up=False),
    "tool_node": Case(
        tool_node, {"messages": [{"type": "ai", "content": "", "tool_calls": [CALLS_ADD]}]}, None, "3",
        adds_up=False, entry={"client_history": True},
    ),
    "agent_that_is_cut_short": Case(
        lambda parts: create_agent(parts.model, [add], middleware=[Jumping()]), HUMAN, SAID, "Not today.", adds_up=False
    ),
    "agent_with_fallbacks": Case(
        lambda parts: RunnablePassthrough() | create_agent(parts.model, []).with_fallbacks([create_agent(parts.model, [])]), HUMAN, None,
        ANSWER, adds_up=False,
    ),
    "agent_beside_a_number": Case(
        lambda parts: RunnableParallel(agent=create_agent(parts.model, []), number=lambda _value: 1), HUMAN, None,
        adds_up=False,
    ),
    "returned_by_a_function": Case(returned_by_a_function, HUMAN, None, ANSWER, adds_up=False),
}  # fmt: skip
