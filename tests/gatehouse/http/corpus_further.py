"""More of what people build: a context, several agents, middleware that rewrites, types of a factory's own."""

import dataclasses
import operator
from typing import Annotated, Any, Literal, TypedDict, cast

from corpus_case import ANSWER, HUMAN, PROMPT, SAID, TEXT, Case, Json
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ModelCallLimitMiddleware,
    PIIMiddleware,
    TodoListMiddleware,
    ToolRetryMiddleware,
    after_agent,
    dynamic_prompt,
)
from langchain.agents.structured_output import ProviderStrategy
from langchain.tools import ToolRuntime
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, RemoveMessage, ToolMessage
from langchain_core.output_parsers import PydanticOutputParser, StrOutputParser, XMLOutputParser
from langchain_core.runnables import RunnableLambda, RunnablePassthrough, chain
from langchain_core.tools import tool
from langgraph.func import entrypoint, task
from langgraph.graph import START, MessagesState, StateGraph, add_messages
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Command, Send
from pydantic import BaseModel

from gatehouse import Parts


@dataclasses.dataclass
class Asker:
    """A context of which the server knows one field, and the graph the other."""

    user_id: str
    tone: str = "warm"


def agent_with_context(parts: Parts) -> Any:
    @tool
    def whose(runtime: ToolRuntime[Asker]) -> str:
        """Tell whom the graph answers, and how."""
        return f"{runtime.context.user_id}, {runtime.context.tone}"

    return create_agent(parts.model, [whose], context_schema=Asker)


def agent_with_middlewares(parts: Parts) -> Any:
    @dynamic_prompt
    def prompt(request: Any) -> str:
        return f"There are {len(request.state['messages'])} messages."

    limits: list[Any] = [ModelCallLimitMiddleware(run_limit=9), ToolRetryMiddleware(max_retries=1)]
    return create_agent(parts.model, [], middleware=[cast("Any", prompt), TodoListMiddleware(), *limits])


def agent_that_hides_addresses(parts: Parts) -> Any:
    hiding = PIIMiddleware("email", strategy="redact", apply_to_input=False, apply_to_output=True)
    return create_agent(parts.model, [], middleware=[hiding])


def agent_with_a_guard(parts: Parts) -> Any:
    @after_agent
    def guard(state: Any, runtime: Any) -> Json:
        return {"messages": [AIMessage("Not that.", id=state["messages"][-1].id)]}

    return create_agent(parts.model, [], middleware=[cast("Any", guard)])


class City(BaseModel):
    """Where it is."""

    city: str


def agent_that_hands_over(parts: Parts) -> Any:
    """Return a swarm: one agent's tool goes on in the other, in the graph around them."""

    @tool
    def to_bob(runtime: ToolRuntime) -> Command[Any]:
        """Hand over to Bob."""
        told = ToolMessage("Handed over.", tool_call_id=str(runtime.tool_call_id))
        messages = [runtime.state["messages"][-1], told]
        return Command(goto="bob", graph=Command.PARENT, update={"messages": messages})

    graph = StateGraph(MessagesState)
    graph.add_node("alice", create_agent(parts.model, [to_bob], name="alice"))
    graph.add_node("bob", create_agent(parts.model, [], name="bob"))
    graph.add_edge(START, "alice")
    return graph.compile(checkpointer=parts.checkpointer)


class Report(TypedDict):
    topic: str
    parts: Annotated[list[str], operator.add]
    report: str


def orchestrator(parts: Parts) -> Any:
    """Return a graph whose workers are sent out, and whose last node waits for all of them."""

    async def write(state: Any) -> Json:
        return {"parts": [(await parts.model.ainvoke(state["part"])).text]}

    def send(state: Report) -> list[Send]:
        return [Send("write", {"part": f"[say {state['topic']} {number}]"}) for number in (1, 2)]

    def join(state: Report) -> Json:
        return {"report": "; ".join(sorted(state["parts"]))}

    graph = StateGraph(Report)
    graph.add_node("write", cast("Any", write))
    graph.add_node("join", join, defer=True)
    graph.add_conditional_edges(START, send, ["write"])
    graph.add_edge("write", "join")
    return graph.compile()


@dataclasses.dataclass
class Talk:
    """A state of messages that is a dataclass."""

    messages: Annotated[list[AnyMessage], add_messages]
    turns: int = 0


def dataclass_of_messages(parts: Parts) -> Any:
    async def speak(state: Talk) -> Json:
        return {"messages": [await parts.model.ainvoke(state.messages)], "turns": state.turns + 1}

    return StateGraph(Talk).add_node("speak", speak).add_edge(START, "speak").compile()


def that_begins_anew(parts: Parts) -> Any:
    async def speak(state: MessagesState) -> Json:
        await parts.model.ainvoke("[say not this]")
        return {"messages": [RemoveMessage(id=REMOVE_ALL_MESSAGES), AIMessage("Anew.")]}

    return StateGraph(MessagesState).add_node("speak", speak).add_edge(START, "speak").compile()


class Count(TypedDict):
    number: int


def loop(_parts: Parts) -> Any:
    def step(state: Count) -> Command[Literal["step", "__end__"]]:
        update = {"number": state["number"] + 1}
        return Command(update=update, goto="step") if state["number"] < 2 else Command(goto="__end__")

    return StateGraph(Count).add_node("step", step).add_edge(START, "step").compile()


def functional_of_messages(parts: Parts) -> Any:
    @task
    async def ask(messages: list[AnyMessage]) -> AIMessage:
        return await parts.model.ainvoke(messages)

    @entrypoint()
    async def work(messages: list[AnyMessage]) -> AIMessage:
        return await ask(messages)

    return work


def chosen_by_a_function(parts: Parts) -> Any:
    long = PROMPT | parts.model | StrOutputParser()

    @chain
    def choose(value: Json) -> Any:
        return long if len(value["input"]) > 3 else "short"

    return choose


def shouted(parts: Parts) -> Any:
    async def shout(chunks: Any) -> Any:
        async for chunk in chunks:
            yield cast("AIMessageChunk", chunk).text.upper()

    return PROMPT | parts.model | shout


ASKS_WHOSE = "[tool whose {}]"
FURTHER: dict[str, Case] = {
    "agent_with_context": Case(
        agent_with_context, {"messages": [{"type": "human", "content": ASKS_WHOSE}]}, ASKS_WHOSE,
        "The results: alice, warm", adds_up=False, context=Asker("alice"),
    ),
    "agent_with_middlewares": Case(agent_with_middlewares, HUMAN, SAID, ANSWER, adds_up=False),
    "agent_that_hides_addresses": Case(
        agent_that_hides_addresses, {"messages": [{"type": "human", "content": "[say Ask a@example.com now.]"}]},
        "[say Ask a@example.com now.]", "Ask [REDACTED_EMAIL] now.", adds_up=False,
    ),
    "agent_with_a_guard": Case(agent_with_a_guard, HUMAN, SAID, "Not that.", adds_up=False),
    "agent_of_the_providers_form": Case(
        lambda parts: create_agent(parts.model, [], response_format=ProviderStrategy(City)),
        {"messages": [{"type": "human", "content": '[say {"city": "Bern"}]'}]}, '[say {"city": "Bern"}]', adds_up=False,
    ),
    "agent_that_hands_over": Case(
        agent_that_hands_over, {"messages": [{"type": "human", "content": "[tool to_bob {}] [say Bob here.]"}]},
        "[tool to_bob {}] [say Bob here.]", adds_up=False,
    ),
    "orchestrator": Case(orchestrator, {"topic": "bonds"}, "bonds", adds_up=False),
    "dataclass_of_messages": Case(dataclass_of_messages, HUMAN, SAID, ANSWER, adds_up=False),
    "that_begins_anew": Case(that_begins_anew, HUMAN, SAID, "Anew.", adds_up=False),
    "loop": Case(loop, {"number": 0}, None, adds_up=False),
    "functional_of_messages": Case(functional_of_messages, HUMAN["messages"], SAID, ANSWER, adds_up=False),
    "chosen_by_a_function": Case(chosen_by_a_function, TEXT, SAID, ANSWER),
    "shouted": Case(shouted, TEXT, SAID, ANSWER.upper()),
    "xml_parser": Case(
        lambda parts: PROMPT | parts.model | XMLOutputParser(parser="xml"), {"input": "[say <a><b>c</b></a>]"},
        "[say <a><b>c</b></a>]",
    ),
    "pydantic_parser": Case(
        lambda parts: PROMPT | parts.model | PydanticOutputParser(pydantic_object=City),
        {"input": '[say {"city": "Bern"}]'}, '[say {"city": "Bern"}]',
    ),
    "picked": Case(
        lambda parts: RunnablePassthrough.assign(answer=PROMPT | parts.model | StrOutputParser()).pick("answer"),
        TEXT, SAID, ANSWER,
    ),
    "each_of_a_function": Case(
        lambda _: RunnableLambda(lambda value: value["n"] + 1).map(), [{"n": 1}, {"n": 2}], None, adds_up=False,
        result=[2, 3],
    ),
}  # fmt: skip
