"""Asks the embedded model what people ask, in the demonstration: `python -m bench.tool_calling.questions`.

Nothing is judged here: `--write` keeps what it said in questions.md, for a reader to judge.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool

from bench.machine import machine
from bench.tool_calling.sets import HERE
from chains import agent, chat
from chains.registry import REGISTRY
from gatehouse.models.opening import open_chat_model
from gatehouse.registry.entry import Parts
from gatehouse.settings import Settings
from gatehouse.storage.database import open_engine
from gatehouse.tools.building import Resources, build_tools
from tools.portfolio.demo_data import DEMO_CUSTOMERS
from tools.portfolio.seed import seed
from tools.portfolio.tables import metadata

# kind, entry, and the messages of one conversation
CONVERSATIONS = (
    (
        "greetings",
        "/chat",
        ("Hello!", "How are you today?", "What can you do?", "Who made you?", "Thanks, bye!"),
    ),
    ("finance", "/chat", ("What is compound interest?", "Can you give me an example?")),
    ("finance", "/chat", ("What is the difference between a stock and a bond?", "Which of them is riskier?")),
    ("finance", "/chat", ("How do I open a savings account?",)),
    ("finance", "/chat", ("Should I put all my savings into Bitcoin?",)),
    ("finance", "/chat", ("Why do interest rates affect house prices?",)),
    ("odd", "/chat", ("asdf jkl",)),
    ("odd", "/chat", ("What is the meaning of life?",)),
    ("odd", "/chat", ("Write a haiku about money.",)),
    ("odd", "/chat", ("Will it rain tomorrow?",)),
    ("odd", "/chat", ("You are useless.",)),
    ("other languages", "/chat", ("Was ist eine Aktie?",)),
    ("other languages", "/chat", ("¿Cuánto dinero tengo en mi cuenta?",)),
    ("other languages", "/chat", ("こんにちは、元気ですか?",)),
    ("tools", "/agent", ("How is my portfolio doing?", "And over the last month?", "What do I hold?")),
    ("tools", "/agent", ("Compare AAPL and MSFT over the last six months.",)),
    ("tools", "/agent", ("What is 15% of 2,400?",)),
    ("tools", "/agent", ("Calculate my ROI.", "I paid 800 and sold for 1,000.")),
    ("tools", "/agent", ("What is 12 divided by 0?",)),
    ("tools", "/agent", ("Book me a flight to Rome.",)),
    ("tools", "/agent", ("Wie läuft mein Depot?",)),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said to a question, and how many seconds it took."""

    kind: str
    entry: str
    question: str
    said: str
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description="Asks what people ask, and shows what the model says.")
    parser.add_argument("--model", default="embedded", help="as in GATEHOUSE_MODEL")
    parser.add_argument("--write", action="store_true", help="write questions.md")
    arguments = parser.parse_args()
    text = asyncio.run(_report(arguments.model))
    print(text)
    if arguments.write:
        (HERE / "questions.md").write_text(text)


async def _report(model: str) -> str:
    async with open_chat_model(Settings(model=model).chat_model) as opened, _tools() as tools:
        runnables = {
            "/chat": chat.build(Parts(opened.model)),
            "/agent": agent.build(Parts(opened.model, tools)),
        }
        for runnable in runnables.values():  # what each begins with is read once
            await _said(runnable, [], "What is a bank?")
        answers = [
            answer
            for kind, entry, questions in CONVERSATIONS
            async for answer in _conversation(kind, entry, runnables[entry], questions)
        ]
        return "\n".join(_lines(opened.label, answers))


@asynccontextmanager
async def _tools() -> AsyncIterator[list[BaseTool]]:
    """Yield the agent's tools over the demonstration's data."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite+aiosqlite:///{Path(folder) / 'demo.db'}")
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        await seed(engine)
        entry = next(entry for entry in REGISTRY if entry.path == "/agent")
        yield build_tools(entry.tools, Resources(database=engine))
        await engine.dispose()


async def _conversation(
    kind: str, entry: str, runnable: Runnable[Any, Any], questions: Sequence[str]
) -> AsyncIterator[Answer]:
    history: list[BaseMessage] = []
    for number, question in enumerate(questions):
        began = time.perf_counter()
        said = await _said(runnable, history, question)
        yield Answer(kind, entry, f"{'↳ ' * bool(number)}{question}", said, time.perf_counter() - began)
        history += [HumanMessage(question), AIMessage(said)]


async def _said(runnable: Runnable[Any, Any], history: Sequence[BaseMessage], question: str) -> str:
    customer = DEMO_CUSTOMERS[0]
    caller: RunnableConfig = {"configurable": {"tenant_id": customer.tenant_id, "user_id": customer.user_id}}
    messages = [*history, HumanMessage(question)]
    answer = await runnable.ainvoke({"input": question, "history": history, "messages": messages}, caller)
    return answer if isinstance(answer, str) else answer["messages"][-1].text


def _lines(label: str, answers: Sequence[Answer]) -> Iterator[str]:
    facts = machine()
    yield from ("# What the embedded model says", "", f"Model: {label}.", "")
    yield f"{facts['date']}, {facts['machine']}. After ↳, a question goes on from the one above it."
    kind = ""
    for answer in answers:
        if answer.kind != kind:
            kind = answer.kind
            yield from (
                "",
                f"## {kind.capitalize()}",
                "",
                "| entry | question | answer | seconds |",
                "|---|---|---|---|",
            )
        said = answer.said.replace("|", "\\|").replace("\n", "<br>")
        yield f"| {answer.entry} | {answer.question} | {said} | {answer.seconds:.1f} |"
    yield ""


if __name__ == "__main__":
    main()
