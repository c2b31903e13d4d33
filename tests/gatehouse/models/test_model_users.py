"""Which runnables use the model."""

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.runnables import Runnable, RunnableLambda

from chains import chat, summarize
from gatehouse.models.guarded.calls import Candidate
from gatehouse.models.guarded.circuit import Circuit
from gatehouse.models.guarded.model import GuardedChatModel
from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.models.using import ModelUsers, uses_model
from gatehouse.registry.entry import Parts

MODEL = GuardedChatModel.of([Candidate("model", ScriptedChatModel(), Circuit(0, 1.0))])
PARTS = Parts(MODEL)
ONE: Runnable[Any, Any] = RunnableLambda(lambda _: 1)


def closing_over() -> Runnable[Any, Any]:
    async def ask(value: Any) -> Any:
        return await model_of["it"].ainvoke(value) if value else None

    model_of = {"it": MODEL}
    return RunnableLambda(ask)


class Method:
    def __init__(self) -> None:
        self.model = MODEL.bind_tools([])

    def ask(self, value: Any) -> Any:
        return self.model.invoke(value)


@pytest.mark.parametrize(
    "runnable",
    [
        chat.build(PARTS),
        summarize.build(PARTS),
        create_agent(MODEL, []),
        closing_over(),
        RunnableLambda(Method().ask),
        {"a": [ONE | MODEL]},
    ],
)
def test_one_that_holds_it_somewhere_does(runnable: object) -> None:
    assert uses_model(runnable)


@pytest.mark.parametrize(
    "runnable",
    [RunnableLambda(lambda value: value), create_agent(ScriptedChatModel(), []), RunnableLambda(len) | str],
)
def test_another_does_not(runnable: object) -> None:
    assert not uses_model(runnable)


def test_one_that_is_not_known_is_taken_to() -> None:
    users = ModelUsers()
    assert users.includes("/unknown", None)
    assert not users.includes("/known", RunnableLambda(len))
    assert not users.includes("/known", MODEL)  # it is looked into once
