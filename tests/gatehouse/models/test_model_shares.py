"""One tenant's calls of a model leave the others their places."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import ChatGenerationChunk

from gatehouse.models.asking import asked_for
from gatehouse.models.guarded.calls import Candidate
from gatehouse.models.guarded.circuit import Circuit
from gatehouse.models.guarded.model import GuardedChatModel
from gatehouse.models.guarded.shares import TenantShares
from gatehouse.models.scripted.chat import ScriptedChatModel


class Waiting(ScriptedChatModel):
    """Answers when it is let to."""

    let: Any
    asked: list[str]

    async def _astream(self, messages: Any, *_: Any, **__: Any) -> AsyncIterator[ChatGenerationChunk]:
        self.asked.append(messages[-1].content)
        await self.let.wait()
        yield ChatGenerationChunk(message=AIMessageChunk(content="done"))


async def ask(model: GuardedChatModel, tenant: str, question: str, streaming: bool) -> str:
    if tenant:
        asked_for(tenant, "alice")
    if streaming:
        return "".join([str(chunk.content) async for chunk in model.astream(question)])
    return str((await model.ainvoke(question)).content)


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("streaming", [True, False])
async def test_further_calls_of_a_tenant_wait_and_those_of_others_do_not(streaming: bool) -> None:
    waiting = Waiting(let=asyncio.Event(), asked=[])
    shares = TenantShares(1)
    model = GuardedChatModel.of([Candidate("model", waiting, Circuit(0, 1.0))], shares=shares)
    questions = [("acme", "a1"), ("acme", "a2"), ("other", "b1"), ("", "c1"), ("", "c2")]
    tasks = [asyncio.create_task(ask(model, *question, streaming)) for question in questions]
    await settled()
    assert sorted(waiting.asked) == ["a1", "b1", "c1", "c2"]
    waiting.let.set()
    assert await asyncio.gather(*tasks) == ["done"] * 5
    assert sorted(waiting.asked) == ["a1", "a2", "b1", "c1", "c2"]
    assert not shares._shares


async def test_a_call_that_is_given_up_gives_its_place_back() -> None:
    waiting = Waiting(let=asyncio.Event(), asked=[])
    model = GuardedChatModel.of([Candidate("model", waiting, Circuit(0, 1.0))], shares=TenantShares(1))
    first, second = (asyncio.create_task(ask(model, "acme", name, True)) for name in ("first", "second"))
    await settled()
    first.cancel()
    await asyncio.wait([first])
    waiting.let.set()
    assert await second == "done"
