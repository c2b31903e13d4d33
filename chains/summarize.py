"""A text and a length in, a structured summary out."""

from typing import Any, Literal

from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable
from pydantic import BaseModel, Field

from gatehouse import Parts


class Request(BaseModel):
    """What is to be summarised, and how long the summary may be."""

    text: str = Field(min_length=1, max_length=20_000, description="the text")
    length: Literal["short", "medium", "long"] = Field("short", description="one, three or six sentences")


class Summary(BaseModel):
    """A summary of a text."""

    title: str = Field(description="a title of at most ten words")
    summary: str = Field(description="the summary in the length asked for")
    key_points: list[str] = Field(description="the most important points, each a short sentence")


SENTENCES = {"short": "one sentence", "medium": "three sentences", "long": "six sentences"}

PROMPT = ChatPromptTemplate.from_messages(
    [
        ("system", "You summarise texts. Keep to what the text says; numbers and names stay exact."),
        ("human", "Summarise the following text in {sentences}.\n\n{text}"),
    ]
)


def wording(request: dict[str, Any]) -> dict[str, str]:
    """Return the prompt's variables for a request."""
    return {"text": request["text"], "sentences": SENTENCES[request.get("length") or "short"]}


def build(parts: Parts) -> Runnable[dict[str, Any], Summary]:
    """Return the chain: takes a `Request` as a dict, returns a `Summary`."""
    structured = parts.model.with_structured_output(Summary, method="json_schema")
    return wording | PROMPT | structured  # type: ignore[return-value]  # typed as dict | BaseModel
