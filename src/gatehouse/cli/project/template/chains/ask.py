"""Prompt, model, parser, and a step of our own: answers a message, with the thread's history before it."""

from collections.abc import AsyncIterator
from typing import Any

from gatehouse import Parts, TextParser
from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable, RunnableGenerator

OPENING = "project-name answers: "

PROMPT = ChatPromptTemplate.from_messages(
    [
        (
            "system",
            "You are the assistant of project-name. Answer briefly and clearly. Say so when you do not know.",
        ),
        MessagesPlaceholder("history", optional=True),
        ("human", "{input}"),
    ]
)


async def in_our_words(tokens: AsyncIterator[str]) -> AsyncIterator[str]:
    """Yield the opening with the first token, then the others as they come: a model that fails says nothing."""
    opening = OPENING
    async for token in tokens:
        yield opening + token
        opening = ""


def build(parts: Parts) -> Runnable[dict[str, Any], str]:
    """Return the chain: takes `{"input": str, "history": [messages]}`, yields the answer's text."""
    return PROMPT | parts.model | TextParser() | RunnableGenerator(in_our_words)
