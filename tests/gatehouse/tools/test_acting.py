"""Tools that change something are preceded by a check, whatever calls them."""

import asyncio
import threading
from typing import Annotated, Any

import pytest
from langchain.agents import create_agent
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool, InjectedToolCallId, StructuredTool, tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from scripted_model import ScriptedModel, calls
from tool_calls import call

from gatehouse.identity.caller import Caller
from gatehouse.tools.acting import MARK, Act, Acts, MayNotAct, acts, guarded, nobody_acts, transaction_of
from gatehouse.tools.building import Resources, build_tools

CALLER: RunnableConfig = {"configurable": {"tenant_id": "acme", "user_id": "alice", "run_id": "r1"}}

NOWHERE = Resources(None)  # type: ignore[arg-type]  # no database is asked


class Guard:
    """Lets pass while `open`, and keeps the tools and configs that it was asked about."""

    def __init__(self) -> None:
        self.open = True
        self.tools: list[str] = []
        self.asked: list[RunnableConfig] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []

    async def __call__(self, act: Act) -> Any:
        self.tools.append(act.tool)
        self.asked.append(act.config)
        self.calls.append((act.call_id, dict(act.args)))
        if not self.open:
            raise MayNotAct("The credential has ended.")
        return await act.work()


@pytest.fixture
def guard() -> Guard:
    return Guard()


@pytest.fixture
def done() -> list[Any]:
    """What the tools did."""
    return []


@pytest.fixture
def transfer(done: list[Any]) -> StructuredTool:
    @acts
    @tool
    async def transfer(
        amount: int, config: RunnableConfig, call_id: Annotated[str, InjectedToolCallId]
    ) -> str:
        """Send money."""
        done.append((amount, config["configurable"]["user_id"], call_id))
        return "sent"

    return transfer


class TestGuarded:
    async def test_asks_before_each_call_about_the_run(
        self, transfer: StructuredTool, guard: Guard, done: list[Any]
    ) -> None:
        checked = guarded(transfer, guard)
        for amount in (1, 2):
            assert (await call(checked, CALLER, amount=amount)).content == "sent"
        assert done == [(1, "alice", "call-1"), (2, "alice", "call-1")]
        assert [config["configurable"]["run_id"] for config in guard.asked] == ["r1", "r1"]
        assert guard.tools == ["transfer", "transfer"]
        assert guard.calls == [("call-1", {"amount": 1}), ("call-1", {"amount": 2})]  # as the model made them

    async def test_does_nothing_when_the_check_refuses(
        self, transfer: StructuredTool, guard: Guard, done: list[Any]
    ) -> None:
        guard.open = False
        with pytest.raises(MayNotAct):
            await call(guarded(transfer, guard), CALLER, amount=1)
        assert done == []

    async def test_holds_for_a_synchronous_tool_which_keeps_its_thread(
        self, guard: Guard, done: list[Any]
    ) -> None:
        @acts
        @tool
        def note(text: str) -> str:
            """Write it down."""
            done.append((text, threading.current_thread() is threading.main_thread()))
            return text

        checked = guarded(note, guard)
        assert (await call(checked, CALLER, text="x")).content == "x"
        guard.open = False
        with pytest.raises(MayNotAct):
            await call(checked, CALLER, text="y")
        with pytest.raises(NotImplementedError):
            checked.invoke({"text": "z"}, CALLER)
        assert done == [("x", False)]

    async def test_leaves_a_tool_that_only_reads_as_it_is(self, guard: Guard) -> None:
        @tool
        async def read(text: str) -> str:
            """Read it."""
            return text

        assert guarded(read, guard) is read

    async def test_shows_the_model_what_the_tool_itself_would(
        self, transfer: StructuredTool, guard: Guard
    ) -> None:
        checked = guarded(transfer, guard)
        assert convert_to_openai_tool(checked) == convert_to_openai_tool(transfer)
        assert (checked.metadata or {})[MARK] is True


class TestMark:
    def test_of_a_tool_whose_calls_nothing_can_check_is_refused(self) -> None:
        class Raw(BaseTool):
            name: str = "raw"
            description: str = "Does as it likes."

            def _run(self) -> None: ...

        with pytest.raises(TypeError, match="raw: acts marks"):
            acts(Raw())

    def test_that_cannot_be_kept_is_refused(self) -> None:
        @tool
        def note(text: str) -> str:
            """Write it down."""
            return text

        async def happened(_key: str, _caller: Caller) -> str | None: ...

        with pytest.raises(TypeError, match="note: a tool that acts in a transaction"):
            acts(transaction=True)(note)
        with pytest.raises(TypeError, match="note: acts takes one of"):
            acts(idempotent=True, check=happened)(note)
        with pytest.raises(TypeError, match="note: check is an async function"):
            acts(check=lambda _key, _caller: None)(note)  # type: ignore[arg-type,return-value]

    def test_is_no_part_of_what_tracers_see_but_for_its_name(self, transfer: StructuredTool) -> None:
        assert transfer.metadata == {MARK: True}

    def test_does_not_hand_out_a_transaction_by_itself(self) -> None:
        with pytest.raises(RuntimeError, match="marked with acts"):
            transaction_of(CALLER)


class TestInAnAgent:
    async def test_of_a_notebook_a_refusal_ends_the_run(
        self, transfer: StructuredTool, guard: Guard, done: list[Any]
    ) -> None:
        guard.open = False
        model = ScriptedModel(script=[calls(("transfer", {"amount": 5}))])
        graph: Runnable[Any, Any] = create_agent(model, [guarded(transfer, guard)])
        with pytest.raises(MayNotAct):
            await graph.ainvoke({"messages": [("human", "send 5")]}, CALLER)
        assert done == []


class TestTheRegistry:
    async def test_refuses_where_nothing_can_tell(self, transfer: StructuredTool, done: list[Any]) -> None:
        [built] = build_tools([transfer], NOWHERE)
        with pytest.raises(MayNotAct):
            await call(built, CALLER, amount=1)
        assert done == []

    async def test_guards_what_is_marked(
        self, transfer: StructuredTool, guard: Guard, done: list[Any]
    ) -> None:
        [built] = build_tools([transfer], NOWHERE, conduct=guard)
        await asyncio.gather(*(call(built, CALLER, amount=amount) for amount in range(3)))
        assert len(guard.asked) == len(done) == 3

    async def test_by_default_is_strict(self) -> None:
        async def work() -> None: ...

        with pytest.raises(MayNotAct):
            await nobody_acts(Act("transfer", Acts(), "", {}, CALLER, work))
