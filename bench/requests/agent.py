"""An agent with one tool, for both servers.

`python -m bench.requests.agent` has what LangGraph takes for itself, the floor of what a server of it
can cost: one answer of two model calls, a tool call and 100 tokens.
"""

import asyncio
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from langchain.agents import create_agent
from langchain_core.runnables import Runnable
from langchain_core.tools import tool

from chains import chat
from gatehouse import Entry, Parts, TextInput
from gatehouse.models.scripted.chat import ScriptedChatModel

TOKENS = 100
PROMPT = f'[tool add {{"a": 1, "b": 2}}] [tokens {TOKENS}]'
QUESTION = {"messages": [{"type": "human", "content": PROMPT}]}
ANSWERS = 20  # of a round
ROUNDS = 15


@tool
async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def build(parts: Parts) -> Runnable[Any, Any]:
    return create_agent(parts.model, [add], checkpointer=parts.checkpointer)


REGISTRY = [
    Entry("/chat", chat.build, "Answers.", input_type=TextInput),
    Entry("/agent", build, "Adds."),
]


async def floor() -> Mapping[str, float]:
    """Return µs of CPU for an answer of the bare graph, by the stream that is asked for: medians."""
    graph: Any = create_agent(ScriptedChatModel(), [add])
    streams: Mapping[str, Callable[[], AsyncIterator[Any]]] = {
        "astream, messages": lambda: graph.astream(QUESTION, stream_mode="messages"),
        "astream, messages, updates and values": lambda: graph.astream(
            QUESTION, stream_mode=["messages", "updates", "custom", "values"], subgraphs=True
        ),
        "astream_events": lambda: graph.astream_events(QUESTION, version="v2"),
    }
    found: dict[str, list[float]] = {name: [] for name in streams}
    for _ in range(ROUNDS):
        for name, stream in streams.items():
            began = time.process_time()
            for _ in range(ANSWERS):
                async for _ in stream():
                    pass
            found[name].append(1e6 * (time.process_time() - began) / ANSWERS)
    return {name: statistics.median(costs) for name, costs in found.items()}


if __name__ == "__main__":
    for name, cost in asyncio.run(floor()).items():
        sys.stdout.write(f"{name}: {cost:.0f} µs of CPU an answer\n")
