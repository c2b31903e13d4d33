"""Runnables that show what reaches them, and that misbehave in every way that the server must contain."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Annotated, Any

from fastapi import HTTPException
from langchain.agents import create_agent
from langchain_core.messages import AIMessageChunk, AnyMessage
from langchain_core.runnables import RunnableConfig, RunnableGenerator, RunnableLambda
from langchain_core.tools import BaseTool, InjectedToolArg, tool
from pydantic import BaseModel

from chains import agent
from chains.registry import REGISTRY
from gatehouse.identity.caller import caller_of
from gatehouse.registry.entry import Entry, Parts

SECRET = "sk-live-51H8QmnoSecretOfTheBank"

Request = dict[str, Any]


def numbered(count: int) -> list[str]:
    """Return the tokens of the scripted model's answer to `[tokens count]`."""
    return ["t1", *(f" t{number}" for number in range(2, count + 1))]


class Endless:
    """Ticks until it is stopped. `ended` counts how often it was."""

    def __init__(self) -> None:
        self.ended = 0

    async def tick(self, requests: AsyncIterator[Request]) -> AsyncIterator[str]:
        async for _ in requests:
            try:
                while True:
                    yield "tick "
                    await asyncio.sleep(0.01)
            finally:
                self.ended += 1


async def identity(_request: Request, config: RunnableConfig) -> str:
    """Return all that is in `configurable` and could have come from a client."""
    configurable = config["configurable"]
    shown = {name: configurable[name] for name in configurable if json_safe(configurable[name])}
    return json.dumps({**shown, "recursion_limit": config["recursion_limit"]})


def json_safe(value: Any) -> bool:
    return isinstance(value, str | int | float | list | dict | None)


async def flood(requests: AsyncIterator[Request]) -> AsyncIterator[str]:
    """Say more than any socket's buffers take, until it is stopped."""
    async for _ in requests:
        while True:
            yield "x" * 4096
            await asyncio.sleep(0.001)


async def odd_chunk(requests: AsyncIterator[Request]) -> AsyncIterator[Any]:
    async for _ in requests:
        yield "first"
        yield object()


async def teapot(_request: Request) -> str:
    raise HTTPException(418, SECRET)


async def failing(_request: Request) -> str:
    raise ValueError(SECRET)


async def said(request: Request) -> str:
    """Return the type and the content of every message that came."""
    return json.dumps([[type(message).__name__, str(message)] for message in request["messages"]])


class Conversation(BaseModel):
    """What takes messages of any kind."""

    messages: list[AnyMessage]


class Anything(BaseModel):
    """What takes any JSON."""

    input: Any


@tool
def who_is_calling(config: Annotated[RunnableConfig, InjectedToolArg], user_id: str = "") -> str:
    """Tell who is calling. `user_id` is what a model that was talked into it would send."""
    caller = caller_of(config)
    return f"{caller.user_id}/{caller.tenant_id}/{caller.claims.get('portfolio_id')}"


@tool
def brew_coffee() -> str:
    """Refuse to."""
    raise HTTPException(418, SECRET)


@tool
def leak() -> str:
    """Fail with a secret in the message."""
    raise ValueError(f"the bank's key is {SECRET}")


TOOLS: list[BaseTool] = [who_is_calling, brew_coffee, leak]


def bare_agent(parts: Parts) -> Any:
    """Return an agent graph as a notebook makes it."""
    return create_agent(parts.model, TOOLS, name="bare")


def contained_agent(parts: Parts) -> Any:
    """Return the registry's agent with tools that fail."""
    return agent.build(replace(parts, tools=TOOLS))


def probes(endless: Endless) -> tuple[Entry, ...]:
    """Return the registry's own entries, and the probes."""
    return (
        *REGISTRY,
        Entry("/bare", bare_agent, "A bare agent graph.", output_type=AIMessageChunk),
        Entry("/contained", contained_agent, "An agent of ours.", output_type=AIMessageChunk),
        Entry("/identity", lambda _: RunnableLambda(identity), "Says who is calling."),
        Entry("/endless", lambda _: RunnableGenerator(endless.tick), "Ticks until it is stopped."),
        Entry("/flood", lambda _: RunnableGenerator(flood), "Says more than anybody reads."),
        Entry("/odd", lambda _: RunnableGenerator(odd_chunk), "Yields what is no JSON.", output_type=Any),
        Entry("/teapot", lambda _: RunnableLambda(teapot), "Raises an HTTPException."),
        Entry("/failing", lambda _: RunnableLambda(failing), "Raises a ValueError."),
        Entry("/messages", lambda _: RunnableLambda(said), "Takes messages.", input_type=Conversation),
        Entry("/anything", lambda _: RunnableLambda(anything), "Takes any JSON.", input_type=Anything),
        Entry("/vault", lambda _: RunnableLambda(identity), "Not for everybody.", scope="vault:open"),
    )


async def anything(request: Request) -> str:
    return json.dumps(request["input"])
