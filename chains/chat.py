"""Prompt, model, parser: answers a message, with the thread's history before it."""

from typing import Any

from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable

from gatehouse import Parts, TextParser

PROMPT = ChatPromptTemplate.from_messages(
    [
        (
            "system",
            "You are the assistant of a bank. Answer questions about banking, saving and investing briefly "
            "and clearly. Say so when you do not know. Never promise a return.",
        ),
        MessagesPlaceholder("history", optional=True),
        ("human", "{input}"),
    ]
)


def build(parts: Parts) -> Runnable[dict[str, Any], str]:
    """Return the chain: takes `{"input": str, "history": [messages]}`, yields the answer's text."""
    return PROMPT | parts.model | TextParser()
