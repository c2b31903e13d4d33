"""What tutorials and forums show: states, prompts and functions that say little of their types."""

from operator import itemgetter
from typing import Annotated, Any, TypedDict

from corpus_case import ANSWER, HUMAN, PROMPT, SAID, TEXT, Case, Json
from corpus_graphs import in_and_out
from langchain.agents import create_agent
from langchain_core.messages import trim_messages
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from langgraph.graph import START, StateGraph, add_messages

from gatehouse import Parts


class Quickstart(TypedDict):
    messages: Annotated[list, add_messages]  # type: ignore[type-arg]  # as LangGraph's own pages have it


def quickstart(parts: Parts) -> Any:
    async def chatbot(state: Quickstart) -> Json:
        return {"messages": [await parts.model.ainvoke(state["messages"])]}

    return StateGraph(Quickstart).add_node("chatbot", chatbot).add_edge(START, "chatbot").compile()


class Retrieved(TypedDict):
    question: str
    generation: str
    documents: list[str]


def corrective(parts: Parts) -> Any:
    async def generate(state: Retrieved) -> Json:
        return {"generation": (await parts.model.ainvoke(state["question"])).text, "documents": ["a bond"]}

    return StateGraph(Retrieved).add_node("generate", generate).add_edge(START, "generate").compile()


def with_required_history(parts: Parts) -> Any:
    parts_of_it: Any = [("system", "Be brief."), MessagesPlaceholder("chat_history"), ("human", "{question}")]
    return ChatPromptTemplate.from_messages(parts_of_it) | parts.model | StrOutputParser()


def of_a_text(parts: Parts) -> Any:
    start: Any = RunnableLambda(lambda words: {"messages": [("user", words)]})
    return start | create_agent(parts.model, []) | (lambda state: state["messages"][-1].text)


def half_read(_parts: Parts) -> Any:
    """Return a function of which LangChain reads one key, and not the one in the comprehension."""
    return RunnableLambda(lambda value: value["input"] + "".join(part["page"] for part in value["docs"]))


def counting(parts: Parts) -> Any:
    """Return what fails every other time that it is tried."""
    tried: list[str] = []

    def parse(text: str) -> Json:
        tried.append(text)
        if len(tried) % 2:
            raise ValueError(text)
        return {"parsed": True}

    chain = PROMPT | parts.model | StrOutputParser() | parse
    return chain.with_retry(stop_after_attempt=2, wait_exponential_jitter=False)


def calls_itself(_parts: Parts) -> Any:
    def count(number: int) -> Any:
        return number if number > 3 else RunnableLambda(lambda given: given + 1) | again

    again = RunnableLambda(count)
    return again


class Array:
    """An artifact as numpy and pandas have them: it is a list in JSON, and refuses to be true or false."""

    def __bool__(self) -> bool:
        raise ValueError("The truth value of an array is ambiguous.")

    def tolist(self) -> list[float]:
        return [0.5]


def agent_with_an_array(parts: Parts) -> Any:
    @tool(response_format="content_and_artifact")
    def embed(text: str) -> tuple[str, Any]:
        """Embed it."""
        return "embedded", Array()

    return create_agent(parts.model, [embed])


def parallel_generators(parts: Parts) -> Any:
    def shout(chunks: Any) -> Any:
        for chunk in chunks:
            yield chunk.upper()

    return RunnableParallel(loud=PROMPT | parts.model | StrOutputParser() | shout)


EMBEDS = '[tool embed {"text": "x"}] [say Found.]'
TUTORIALS: dict[str, Case] = {
    "quickstart": Case(quickstart, HUMAN, SAID, ANSWER, adds_up=False),
    "corrective": Case(corrective, {"question": SAID}, SAID, ANSWER, adds_up=False),
    "with_required_history": Case(with_required_history, {"question": SAID, "chat_history": []}, SAID, ANSWER),
    "trimmed": Case(
        lambda parts: trim_messages(max_tokens=9, token_counter=len) | parts.model, HUMAN["messages"], SAID, ANSWER
    ),
    "of_a_text": Case(of_a_text, SAID, SAID, ANSWER, adds_up=False),
    "half_read": Case(half_read, {"input": "a", "docs": [{"page": "b"}]}, None, "ab"),
    "retry_of_a_parser": Case(counting, TEXT, SAID, result={"parsed": True}),
    "calls_itself": Case(calls_itself, 1, None, "4"),
    "graph_then_field": Case(
        lambda parts: in_and_out(parts) | itemgetter("answer"), {"question": SAID}, SAID, ANSWER, adds_up=False
    ),
    "agent_with_an_array": Case(
        agent_with_an_array, {"messages": [{"type": "human", "content": EMBEDS}]}, EMBEDS, "Found.", adds_up=False
    ),
    "parallel_generators": Case(parallel_generators, TEXT, SAID, result={"loud": ANSWER.upper()}),
}  # fmt: skip
