"""What people build with LangChain and LangGraph, small: each with an input and a way to say it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import date
from decimal import Decimal
from operator import itemgetter
from typing import Any, TypedDict, cast

from corpus_case import ANSWER, PROMPT, SAID, TEXT, Case, Json
from corpus_further import FURTHER
from corpus_graphs import GRAPHS, add
from corpus_tutorials import TUTORIALS
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.output_parsers import CommaSeparatedListOutputParser, JsonOutputParser, StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
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
from pydantic import BaseModel

from gatehouse import Entry, Parts


class Store(BaseRetriever):
    """Has two documents on everything."""

    def _get_relevant_documents(self, query: str, **_kwargs: Any) -> list[Document]:
        return [
            Document(page_content="A bond is a loan.", metadata={"source": "a.md", "page": 1}),
            Document(page_content=f"About {len(query)} letters.", metadata={"source": "b.md"}),
        ]


@tool
def shout(text: str) -> str:
    """Say it louder."""
    return text.upper()


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


def structured(parts: Parts) -> Any:
    class Verdict(BaseModel):
        good: bool
        why: str

    return ChatPromptTemplate.from_template("Judge {input}") | parts.model.with_structured_output(Verdict)


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


def fixed(output: Any) -> Callable[[Parts], Runnable[Any, Any]]:
    async def answer(_value: Any) -> Any:
        return output

    return lambda _parts: RunnableLambda(answer)


LAST_DICT = {"a": 1, "b": [2]}


def structured_with_raw(parts: Parts) -> Any:
    class Verdict(TypedDict):
        """A verdict."""

        good: bool

    return ChatPromptTemplate.from_template("Judge {input}") | parts.model.with_structured_output(
        Verdict, include_raw=True
    )


async def lists(requests: AsyncIterator[Any]) -> AsyncIterator[list[str]]:
    async for _ in requests:
        yield ["a"]
        yield ["b"]


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
    "each": Case(
        lambda parts: (PROMPT | parts.model | StrOutputParser()).map(), [TEXT, TEXT], None, adds_up=False
    ),
    "two_models": Case(
        lambda parts: RunnableParallel(message=PROMPT | parts.model, text=PROMPT | parts.model | StrOutputParser()),
        TEXT, SAID,
    ),
    "json_parser": Case(
        lambda parts: PROMPT | parts.model | JsonOutputParser(), {"input": '[say {"a": "b"}]'}, '[say {"a": "b"}]'
    ),
    "prompt_alone": Case(lambda _: PROMPT, TEXT, SAID),
    "structured_with_raw": Case(structured_with_raw, {"input": "x"}, "x"),
    "generator_of_lists": Case(lambda _: RunnableGenerator(lists), {"input": "x"}, "x"),
    "typed_tuple": Case(
        lambda _: RunnableLambda(sum).with_types(input_type=cast("Any", tuple[int, int])), [1, 2], None, "3"
    ),
    "an_object": Case(fixed(Booking(day=date(2026, 1, 2))), {"input": "x"}, "x"),
    "list_of_messages": Case(fixed([HumanMessage("a"), AIMessage("done")]), {"input": "x"}, "x", "done"),
    **GRAPHS,
    **FURTHER,
    **TUTORIALS,
}  # fmt: skip


def entries() -> list[Entry]:
    """Return the corpus as it is served."""
    return [
        Entry(f"/{name.replace('_', '-')}", case.build, name.replace("_", " "), **case.entry)
        for name, case in CORPUS.items()
    ]
