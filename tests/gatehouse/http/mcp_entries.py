"""What MCP's conformance suite calls: tools of the names that it knows, each an entry."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable, RunnableGenerator, RunnableLambda
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt
from pydantic import BaseModel

from gatehouse import Entry, Parts

PIXEL = base64.b64encode(bytes(64)).decode()


class Nothing(BaseModel):
    """What takes no arguments."""


async def simple_text(_input: Any) -> str:
    return "This is a simple text response for testing."


async def error_handling(_input: Any) -> str:
    raise ValueError("This tool intentionally returns an error for testing")


async def image(_input: Any) -> AIMessage:
    return AIMessage([{"type": "image", "base64": PIXEL, "mime_type": "image/png"}])


async def audio(_input: Any) -> AIMessage:
    return AIMessage([{"type": "audio", "base64": PIXEL, "mime_type": "audio/wav"}])


async def progress(inputs: AsyncIterator[Any]) -> AsyncIterator[str]:
    """Say three words, slowly enough that each is told of."""
    async for _ in inputs:
        for word in ("one ", "two ", "three"):
            await asyncio.sleep(1.1)
            yield word


def entry(name: str, runnable: Runnable[Any, Any], returned: Any = str) -> Entry:
    return Entry(
        f"/{name}",
        lambda _: runnable,
        f"Of the suite: {name}.",
        input_type=Nothing,
        output_type=returned,
        mcp=True,
    )


class Rounds(BaseModel):
    """What was answered in each round."""

    answers: list[Any] = []


def asking(name: str, *forms: dict[str, Any]) -> Entry:
    """Return a tool that asks its caller's user for each of these, by forms, one after the other."""

    def build(parts: Parts) -> Runnable[Any, Any]:
        async def ask(state: Rounds) -> dict[str, Any]:
            return {
                "answers": [
                    *state.answers,
                    *(interrupt("Please answer.", response_schema=form) for form in forms),
                ]
            }

        graph = StateGraph(Rounds)
        graph.add_node("ask", ask)
        graph.add_edge(START, "ask")
        return graph.compile(checkpointer=parts.checkpointer)

    return Entry(f"/{name}", build, f"Of the suite: {name}.", mcp=True)


def form(field: str, kind: str) -> dict[str, Any]:
    return {"type": "object", "properties": {field: {"type": kind}}, "required": [field]}


REGISTRY = (
    entry("test_simple_text", RunnableLambda(simple_text)),
    entry("test_error_handling", RunnableLambda(error_handling)),
    entry("test_image_content", RunnableLambda(image), AIMessage),
    entry("test_audio_content", RunnableLambda(audio), AIMessage),
    entry("test_tool_with_progress", RunnableGenerator(progress)),
    asking("test_input_required_result_elicitation", form("name", "string")),
    asking("test_input_required_result_request_state", form("ok", "boolean")),
    asking("test_input_required_result_tampered_state", form("ok", "boolean")),
    asking("test_input_required_result_multi_round", form("name", "string"), form("color", "string")),
)
