"""A runnable of the corpus: what is built, and how it is asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.runnables import Runnable

from gatehouse import Parts

SAID = "[say Bonds are loans.]"
ANSWER = "Bonds are loans."
PROMPT = ChatPromptTemplate.from_messages(
    [("system", "Be brief."), MessagesPlaceholder("history", optional=True), ("human", "{input}")]
)
Json = dict[str, Any]
HUMAN = {"messages": [{"type": "human", "content": SAID}]}
TEXT = {"input": SAID}


@dataclass(frozen=True, slots=True)
class Case:
    """A runnable of the corpus: its factory, an input, and what else its entry says.

    `query` is the same input as a text, None where no text makes it. `adds_up` says that LangServe's stream
    adds up to the answer: a graph's updates do not, nor in a notebook. `text` is what a person reads of it,
    `result` what is returned where LangChain's own `ainvoke` raises. `context` is the graph's, in a notebook.
    """

    build: Callable[[Parts], Runnable[Any, Any]]
    value: Any
    query: str | None = None
    text: str | None = None
    adds_up: bool = True
    result: Any = None
    entry: Json = field(default_factory=dict)
    context: Any = None
