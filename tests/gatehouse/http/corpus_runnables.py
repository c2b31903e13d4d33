"""What people build with LangChain and LangGraph, small: each with an input and a way to say it."""

import asyncio
import operator
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from operator import itemgetter
from typing import Annotated, Any, Literal, TypedDict, cast

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, SummarizationMiddleware
from langchain.agents.structured_output import ToolStrategy
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage
from langchain_core.output_parsers import CommaSeparatedListOutputParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import (
    Runnable,
    RunnableBranch,
    RunnableGenerator,
    RunnableLambda,
    RunnableParallel,
    RunnablePassthrough,
    chain,
)
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, Send
from pydantic import BaseModel

from gatehouse import Entry, Parts

SAID = "[say Bonds are loans.]"
ANSWER = "Bonds are loans."
PROMPT = ChatPromptTemplate.from_messages(
    [("system", "Be brief."), MessagesPlaceholder("history", optional=True), ("human", "{input}")]
)
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """A runnable of the corpus: its factory, an input, and what else its entry says.

    `query` is the same input as a text, None where no text makes it. `adds_up` says that LangServe's stream
    adds up to the answer: a graph's updates do not, nor in a notebook. `text` is what a person reads of it,
    `result` what is returned where LangChain's own `ainvoke` raises.
    """

    build: Callable[[Parts], Runnable[Any, Any]]
    value: Any
    query: str | None = None
    text: str | None = None
    adds_up: bool = True
    result: Any = None
    entry: Json = field(default_factory=dict)


class Store(BaseRetriever):
    """Has two documents on everything."""

    def _get_relevant_documents(self, query: str, **_kwargs: Any) -> list[Document]:
        return [
            Document(page_content="A bond is a loan.", metadata={"source": "a.md", "page": 1}),
            Document(page_content=f"About {len(query)} letters.", metadata={"source": "b.md"}),
        ]


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


@tool(return_direct=True)
def last_word(text: str) -> str:
    """Have the last word."""
    return f"Last: {text}"


def told(_value: Any) -> str:
    return SAID


def quoted(documents: list[Document]) -> str:
    return "; ".join(document.page_content for document in documents)


def rag_with_sources(parts: Parts) -> Any:
    answer = PROMPT | parts.model | StrOutputParser()
    return RunnableParallel(context=itemgetter("input") | Store(), input=itemgetter("input")).assign(
        answer=answer
    )


def rag_of_text(parts: Parts) -> Any:
    prompt = ChatPromptTemplate.from_template("{context}\n{question}")
    return (
        {"context": Store() | quoted, "question": RunnablePassthrough()}
        | prompt
        | parts.model
        | StrOutputParser()
    )


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


def structured(parts: Parts) -> Any:
    class Verdict(BaseModel):
        good: bool
        why: str

    return ChatPromptTemplate.from_template("Judge {input}") | parts.model.with_structured_output(Verdict)


class Weather(BaseModel):
    """What an agent is to return."""

    city: str


def structured_agent(parts: Parts) -> Any:
    return create_agent(parts.model, [add], response_format=ToolStrategy(Weather))


async def dicts(requests: AsyncIterator[Any]) -> AsyncIterator[Json]:
    async for _ in requests:
        yield {"a": 1}
        yield {"a": 1, "b": [2]}


def sync_dicts(requests: Iterator[Any]) -> Iterator[Json]:
    for _ in requests:
        yield {"a": 1}
        yield {"a": 1, "b": [2]}


async def words(requests: AsyncIterator[Any]) -> AsyncIterator[str]:
    async for _ in requests:
        for word in ("Bonds", " are", " loans."):
            yield word
            await asyncio.sleep(0)


@chain
async def chained(value: Any) -> AsyncIterator[str]:
    yield "one "
    yield "two"


def number(value: int) -> int:
    return value + 1


def of_messages(messages: list[AnyMessage]) -> str:
    return ", ".join(f"{message.type}:{message.text}" for message in messages)


def of_list(values: list[int]) -> int:
    return sum(values)


class Booking(BaseModel):
    """A typed input."""

    day: date
    guests: list[str] = []


def of_booking(value: Json) -> str:
    assert isinstance(value["day"], date)
    return f"{value['day'].year} {len(value['guests'])}"


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


def fixed(output: Any) -> Callable[[Parts], Runnable[Any, Any]]:
    async def answer(_value: Any) -> Any:
        return output

    return lambda _parts: RunnableLambda(answer)


WEATHER = '[tool Weather {"city": "Bern"}]'
LAST_DICT = {"a": 1, "b": [2]}
HUMAN = {"messages": [{"type": "human", "content": SAID}]}
TEXT = {"input": SAID}

CORPUS: dict[str, Case] = {
    "bare_model": Case(lambda parts: parts.model, [{"type": "human", "content": SAID}], SAID, ANSWER),
    "prompt_model": Case(lambda parts: PROMPT | parts.model, TEXT, SAID, ANSWER),
    "prompt_model_parser": Case(lambda parts: PROMPT | parts.model | StrOutputParser(), TEXT, SAID, ANSWER),
    "named_variable": Case(
        lambda parts: ChatPromptTemplate.from_template("{topic}") | parts.model | StrOutputParser(),
        {"topic": SAID}, SAID, ANSWER,
    ),
    "itemgetter_first": Case(
        lambda parts: itemgetter("input") | ChatPromptTemplate.from_template("Say {topic}") | parts.model
        | StrOutputParser(),
        TEXT, SAID, ANSWER,
    ),
    "passthrough_first": Case(
        lambda parts: RunnablePassthrough() | PROMPT | parts.model | StrOutputParser(), TEXT, SAID, ANSWER
    ),
    "assign": Case(
        lambda parts: RunnablePassthrough.assign(input=told) | PROMPT | parts.model | StrOutputParser(),
        {"input": "x"}, "x", ANSWER,
    ),
    "branch": Case(
        lambda parts: RunnableBranch(
            (lambda value: len(value["input"]) > 3, PROMPT | parts.model | StrOutputParser()),
            RunnableLambda(lambda value: "short"),
        ),
        TEXT, SAID, ANSWER,
    ),
    "parallel": Case(
        lambda parts: RunnableParallel(joke=PROMPT | parts.model | StrOutputParser(), length=lambda v: len(v["input"])),
        TEXT, SAID,
    ),
    "list_parser": Case(
        lambda parts: PROMPT | parts.model | CommaSeparatedListOutputParser(),
        {"input": "[say red, green]"}, "[say red, green]", '["red","green"]',
    ),
    "with_config": Case(
        lambda parts: (PROMPT | parts.model).with_config(tags=["x"], run_name="named"), TEXT, SAID, ANSWER
    ),
    "fallbacks": Case(
        lambda parts: PROMPT | parts.model.with_fallbacks([parts.model]) | StrOutputParser(), TEXT, SAID, ANSWER
    ),
    "retry": Case(
        lambda parts: (PROMPT | parts.model | StrOutputParser()).with_retry(stop_after_attempt=2), TEXT, SAID, ANSWER
    ),
    "rag_with_sources": Case(rag_with_sources, TEXT, SAID, ANSWER),
    "rag_of_text": Case(rag_of_text, SAID, SAID, ANSWER),
    "retriever": Case(lambda _: Store(), "bonds", "bonds"),
    "tool": Case(lambda _: add, {"a": 1, "b": 2}, None, "3"),
    "tool_of_text": Case(lambda _: shout, {"text": "hi"}, "hi", "HI"),
    "structured": Case(structured, {"input": "x"}, "x"),
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
    "generator": Case(lambda _: RunnableGenerator(words), "x", None, ANSWER),
    "generator_of_dicts": Case(lambda _: RunnableGenerator(dicts), {"input": "x"}, "x", result=LAST_DICT),
    "sync_generator_of_dicts": Case(lambda _: RunnableGenerator(sync_dicts), {"input": "x"}, "x", result=LAST_DICT),
    "chain_generator": Case(lambda _: chained, {"input": "x"}, "x", "one two"),
    "number": Case(lambda _: RunnableLambda(number), 3, None, "4"),
    "list_of_numbers": Case(lambda _: RunnableLambda(of_list), [1, 2], None, "3"),
    "messages": Case(
        lambda _: RunnableLambda(of_messages), [{"type": "human", "content": "hi"}], "hi", "human:hi"
    ),
    "history_of_the_client": Case(
        lambda _: RunnableLambda(of_messages),
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
        None, "human:a, ai:b, human:c", entry={"client_history": True},
    ),
    "typed": Case(
        lambda _: RunnableLambda(of_booking), {"day": "2026-11-30", "guests": ["a"]}, None, "2026 1",
        entry={"input_type": Booking},
    ),
    "nothing": Case(fixed(None), {"input": "x"}, "x", ""),
    "decimal": Case(fixed({"price": Decimal("1.10"), "on": date(2026, 1, 2)}), {"input": "x"}, "x"),
    "set": Case(fixed({"of": {3, 1}, 4: b"x"}), {"input": "x"}, "x"),
    "not_a_number": Case(fixed(float("nan")), {"input": "x"}, "x"),
    "documents": Case(fixed({"answer": "yes", "context": [Document("d")]}), {"input": "x"}, "x", "yes"),
    "big_number": Case(fixed({"n": 2**70}), {"input": "x"}, "x"),
    "half_a_character": Case(fixed("a\ud83d"), {"input": "x"}, "x", "a\ufffd"),
    "ai_message": Case(fixed(AIMessage("done")), {"input": "x"}, "x", "done"),
    "blocks": Case(
        fixed(AIMessage([{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "done"}])),
        {"input": "x"}, "x", "done",
    ),
}  # fmt: skip


def entries() -> list[Entry]:
    """Return the corpus as it is served."""
    return [
        Entry(f"/{name.replace('_', '-')}", case.build, name.replace("_", " "), **case.entry)
        for name, case in CORPUS.items()
    ]
