"""What the replicas of the experiment serve: a chain and an agent that note what they do.

Imported by the servers alone: GATEHOUSE_REGISTRY names it. They note it in their folder.
"""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.tools import tool

from gatehouse import Entry, Parts, acts
from tests.chaos.outages.executions import Executed, What, note

CASE = re.compile(r"case (\S+)")


def tell(what: What, case: str, config: RunnableConfig) -> None:
    placed = config["configurable"]
    note(Path(), Executed.now(what, case, placed["run_id"], placed["attempt"]))


def chain(parts: Parts) -> Runnable[Any, Any]:
    """Return a chain that notes when it begins and when it ends, however that is."""

    async def ask(question: str, config: RunnableConfig) -> AsyncIterator[str]:
        named = CASE.search(question)
        case = named[1] if named else ""
        tell("began", case, config)
        try:
            async for chunk in parts.model.astream(question, config):
                yield chunk.text
        finally:
            tell("ended", case, config)

    return RunnableLambda(ask)


@acts
@tool
async def pay(case: str, config: RunnableConfig) -> str:
    """Pay for a case."""
    tell("acted", case, config)
    return f"paid {case}"


def agent(parts: Parts) -> Runnable[Any, Any]:
    return create_agent(parts.model, list(parts.tools), checkpointer=parts.checkpointer)


REGISTRY = [
    Entry("/chain", chain, "Says what it is told to say.", input_type=str, output_type=str),
    Entry("/agent", agent, "Pays, and says then what it is told to say.", tools=(pay,)),
]
