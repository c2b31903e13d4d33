import time
from dataclasses import replace
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.utils import count_tokens_approximately
from langchain_core.utils.uuid import uuid7
from sqlalchemy.exc import OperationalError
from thread_callers import principal

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import Conflict, NotFound
from gatehouse.runs.conversation.history import HistoryAway
from gatehouse.runs.events import AgentAction, Event, Restart, Start, ToolEnd, ToolStart, Usage
from gatehouse.runs.records import RunRecord, State
from gatehouse.threads.history import ThreadHistory, more_than_said, said, tool_calls
from gatehouse.threads.models import Message, ToolCall
from gatehouse.threads.store import ThreadStore

BUDGET = 200
HUMAN = {"type": "human", "content": "Hello"}


@pytest.fixture
def history(store: ThreadStore) -> ThreadHistory:
    return ThreadHistory(store, BUDGET)


@pytest.fixture
async def thread_id(history: ThreadHistory, alice: Principal) -> str:
    return await opened(history, alice, "What is a bond?")


async def opened(history: ThreadHistory, owner: Principal, text: str) -> str:
    """Return the id of a thread in which one thing was said, and nothing answered."""
    run = replace(run_of(owner, str(uuid7()), text), opens_thread=True)
    await history.begin(run)
    assert run.thread_id is not None
    return run.thread_id


def run_of(owner: Principal, thread_id: str | None, text: str = "Hello") -> RunRecord:
    now = time.time()
    return RunRecord(
        id=str(uuid7()), principal=owner, runnable="/chat", input={"input": text}, thread_id=thread_id,
        created_at=now, deadline=now + 60, grace=30,
    )  # fmt: skip


def ended(run: RunRecord, text: str, state: State = "completed", **changes: Any) -> RunRecord:
    return replace(run, text=text, state=state, **changes)


async def exchange(
    history: ThreadHistory, owner: Principal, thread_id: str, said: str, text: str, state: State = "completed"
) -> None:
    run = run_of(owner, thread_id, said)
    await history.begin(run)
    await history.keep(ended(run, text, state), [])


async def contents(history: ThreadHistory, run: RunRecord) -> list[str]:
    return [str(message.content) for message in await history.before(run)]


async def last_message(store: ThreadStore, owner: Principal, thread_id: str) -> Message:
    return (await store.messages(owner, thread_id, 100)).items[-1]


async def test_what_a_database_has_no_letter_for_is_kept_otherwise(
    history: ThreadHistory, store: ThreadStore, alice: Principal
) -> None:
    thread_id = await opened(history, alice, "What is\0 this?")
    run = run_of(alice, thread_id, "Out of a\0PDF")
    await history.begin(run)
    answer = {"message": {"type": "ai", "content": [{"type": "text", "text": "A\0B"}]}}
    await history.keep(ended(run, "A\0B", finish_reason="s\0" * 60, answer=answer), [finished("1", "C\0D")])
    *_, question, kept = (await store.messages(alice, thread_id, 100)).items
    told = [question.content.replace("\ufffd", "\0"), kept.content.replace("\ufffd", "\0")]
    assert told == ["Out of a\0PDF", "A\0B"]


def began(call_id: str, tool: str = "calculator", **arguments: Any) -> ToolStart:
    return ToolStart(content=f"Using tool: {tool}", tool=tool, call_id=call_id, input=arguments)


def finished(call_id: str, output: str, *, is_error: bool = False, tool: str = "calculator") -> ToolEnd:
    return ToolEnd(
        content=f"Tool result: {output}", tool=tool, call_id=call_id, output=output, is_error=is_error
    )


class TestOpen:
    async def test_names_the_thread_after_the_input(
        self, store: ThreadStore, alice: Principal, thread_id: str
    ) -> None:
        thread = await store.get(alice, thread_id)
        assert (thread.title, thread.runnable) == ("What is a bond?", "chat")


class TestUndo:
    async def test_takes_back_the_thread_that_began_with_the_run(
        self, history: ThreadHistory, store: ThreadStore, alice: Principal
    ) -> None:
        run = replace(run_of(alice, str(uuid7()), "What is a share?"), opens_thread=True)
        await history.undo(run)
        await history.begin(run)
        await history.undo(run)
        with pytest.raises(NotFound):
            await store.get(alice, str(run.thread_id))

    async def test_takes_the_question_alone_out_of_a_thread_that_was_there(
        self, history: ThreadHistory, store: ThreadStore, alice: Principal, thread_id: str
    ) -> None:
        before = await last_message(store, alice, thread_id)
        run = run_of(alice, thread_id, "What is a share?")
        await history.begin(run)
        await history.undo(run)
        assert await last_message(store, alice, thread_id) == before

    async def test_does_nothing_to_anothers_thread(
        self,
        history: ThreadHistory,
        store: ThreadStore,
        alice: Principal,
        stranger: Principal,
        thread_id: str,
    ) -> None:
        run = run_of(alice, thread_id, "What is a share?")
        await history.begin(run)
        await history.undo(replace(run, principal=stranger, opens_thread=True))
        assert (await last_message(store, alice, thread_id)).content == "What is a share?"


class TestBegin:
    async def test_stores_what_was_said(
        self, history: ThreadHistory, store: ThreadStore, alice: Principal, thread_id: str
    ) -> None:
        run = run_of(alice, thread_id, "What is a share?")
        await history.begin(run)
        message = await last_message(store, alice, thread_id)
        assert (message.role, message.content, message.run_id) == ("human", "What is a share?", run.id)

    async def test_raises_not_found_for_a_strangers_thread(
        self, history: ThreadHistory, stranger: Principal, thread_id: str
    ) -> None:
        with pytest.raises(NotFound):
            await history.begin(run_of(stranger, thread_id))

    async def test_raises_conflict_for_a_full_thread(
        self, engine: Any, alice: Principal, thread_id: str
    ) -> None:
        history = ThreadHistory(ThreadStore(engine, max_messages=2), BUDGET)
        await history.begin(run_of(alice, thread_id))
        with pytest.raises(Conflict):
            await history.begin(run_of(alice, thread_id))


class TestBefore:
    async def test_is_what_earlier_runs_said_and_answered(
        self, history: ThreadHistory, alice: Principal, thread_id: str
    ) -> None:
        await exchange(history, alice, thread_id, "What is a bond?", "A loan.")
        await exchange(history, alice, thread_id, "And a share?", "A part.")
        run = run_of(alice, thread_id, "Which is safer?")
        await history.begin(run)
        assert await history.before(run) == [
            HumanMessage("What is a bond?"),
            AIMessage("A loan."),
            HumanMessage("And a share?"),
            AIMessage("A part."),
        ]

    async def test_of_the_first_run_is_empty(
        self, history: ThreadHistory, alice: Principal, thread_id: str
    ) -> None:
        run = run_of(alice, thread_id)
        await history.begin(run)
        assert await history.before(run) == []

    async def test_leaves_out_the_runs_own_answer_of_an_earlier_attempt(
        self, history: ThreadHistory, alice: Principal, thread_id: str
    ) -> None:
        run = run_of(alice, thread_id)
        await history.begin(run)
        await history.keep(ended(run, "half", "failed"), [])
        assert await history.before(replace(run, attempt=2)) == []

    async def test_holds_partial_and_failed_answers_as_far_as_they_came(
        self, history: ThreadHistory, alice: Principal, thread_id: str
    ) -> None:
        await exchange(history, alice, thread_id, "one", "A bond is", "cancelled")
        await exchange(history, alice, thread_id, "two", "A share is", "failed")
        assert await contents(history, run_of(alice, thread_id)) == ["one", "A bond is", "two", "A share is"]

    @pytest.mark.parametrize("state", ["failed", "cancelled", "completed"])
    @pytest.mark.parametrize("answer", ["", " \n"])
    async def test_leaves_out_what_has_no_answer_in_words(
        self, history: ThreadHistory, alice: Principal, thread_id: str, state: State, answer: str
    ) -> None:
        await exchange(history, alice, thread_id, "one", "A loan.")
        await exchange(history, alice, thread_id, "two", answer, state)
        await history.begin(run_of(alice, thread_id, "lost with its process"))
        assert await contents(history, run_of(alice, thread_id)) == ["one", "A loan."]

    async def test_keeps_the_newest_within_the_budget_and_starts_with_the_human(
        self, history: ThreadHistory, alice: Principal, thread_id: str
    ) -> None:
        for number in range(20):
            await exchange(history, alice, thread_id, f"question {number}", f"answer {number} " + "x" * 30)
        found = await history.before(run_of(alice, thread_id))
        assert count_tokens_approximately(found) <= BUDGET
        assert isinstance(found[0], HumanMessage)
        assert str(found[-1].content).startswith("answer 19")
        assert len(found) > 8
        assert len(found) % 2 == 0

    async def test_leaves_out_an_exchange_that_is_larger_than_the_budget_with_all_before_it(
        self, history: ThreadHistory, alice: Principal, thread_id: str
    ) -> None:
        await exchange(history, alice, thread_id, "old", "old answer")
        await exchange(history, alice, thread_id, "x" * 5 * BUDGET, "large")
        await exchange(history, alice, thread_id, "new", "new answer")
        assert await contents(history, run_of(alice, thread_id)) == ["new", "new answer"]

    async def test_counts_characters_of_any_script(
        self, history: ThreadHistory, alice: Principal, thread_id: str
    ) -> None:
        text = "債" * (BUDGET * 3)  # in bytes more than the budget has, in characters less
        await exchange(history, alice, thread_id, text, "🏦")
        assert await contents(history, run_of(alice, thread_id)) == [text, "🏦"]

    async def test_is_of_the_runs_principal_only(
        self, history: ThreadHistory, alice: Principal, stranger: Principal, thread_id: str
    ) -> None:
        await exchange(history, alice, thread_id, "What is a bond?", "A loan.")
        assert await history.before(run_of(stranger, thread_id)) == []

    async def test_of_another_thread_is_not_this_ones(
        self, history: ThreadHistory, alice: Principal, thread_id: str
    ) -> None:
        await exchange(history, alice, thread_id, "What is a bond?", "A loan.")
        other = await opened(history, alice, "Hello")
        assert await history.before(run_of(alice, other)) == []


class TestKeep:
    @pytest.mark.parametrize(
        ("state", "status"), [("completed", "complete"), ("cancelled", "partial"), ("failed", "failed")]
    )
    async def test_tells_how_the_run_ended(
        self,
        history: ThreadHistory,
        store: ThreadStore,
        alice: Principal,
        thread_id: str,
        state: State,
        status: str,
    ) -> None:
        await exchange(history, alice, thread_id, "What is a bond?", "A loan", state)
        message = await last_message(store, alice, thread_id)
        assert (message.role, message.content, message.status) == ("ai", "A loan", status)

    async def test_stores_tool_calls_and_usage(
        self, history: ThreadHistory, store: ThreadStore, alice: Principal, thread_id: str
    ) -> None:
        run = run_of(alice, thread_id)
        await history.begin(run)
        steps: list[Event] = [began("c1", expression="1+1"), finished("c1", "2")]
        await history.keep(ended(run, "Two.", usage=Usage(5, 6, 11)), steps)
        message = await last_message(store, alice, thread_id)
        assert message.usage == Usage(5, 6, 11)
        assert message.tool_calls == (
            ToolCall(tool="calculator", call_id="c1", input={"expression": "1+1"}, output="2"),
        )

    async def test_of_a_later_attempt_replaces_the_earlier_one(
        self, history: ThreadHistory, store: ThreadStore, alice: Principal, thread_id: str
    ) -> None:
        run = run_of(alice, thread_id)
        await history.begin(run)
        await history.keep(ended(run, "half", "failed"), [])
        await history.keep(ended(run, "whole", attempt=2), [])
        items = (await store.messages(alice, thread_id, 100)).items
        assert [message.content for message in items] == ["What is a bond?", "Hello", "whole"]

    async def test_of_the_same_attempt_is_stored_once(
        self, history: ThreadHistory, store: ThreadStore, alice: Principal, thread_id: str
    ) -> None:
        """Whoever cannot tell whether it was stored stores it again."""
        run = run_of(alice, thread_id)
        await history.begin(run)
        for _ in range(3):
            await history.keep(ended(run, "whole"), [])
        await history.begin(run)
        items = (await store.messages(alice, thread_id, 100)).items
        assert [message.content for message in items] == ["What is a bond?", "Hello", "whole"]

    async def test_of_an_earlier_attempt_changes_nothing(
        self, history: ThreadHistory, store: ThreadStore, alice: Principal, thread_id: str
    ) -> None:
        run = run_of(alice, thread_id)
        await history.begin(run)
        await history.keep(ended(run, "whole", attempt=2), [])
        await history.keep(ended(run, "half", "failed"), [])
        assert (await last_message(store, alice, thread_id)).content == "whole"

    async def test_does_nothing_when_the_thread_was_deleted_meanwhile(
        self, history: ThreadHistory, store: ThreadStore, alice: Principal, thread_id: str
    ) -> None:
        run = run_of(alice, thread_id)
        await history.begin(run)
        await store.delete(alice, thread_id)
        await history.keep(ended(run, "A loan.", "cancelled"), [])
        with pytest.raises(NotFound):
            await store.get(alice, thread_id)
        assert (await store.page(alice, 10)).items == ()


class TestAskedLate:
    @pytest.fixture
    def run(self, alice: Principal) -> RunRecord:
        asked = run_of(alice, str(uuid7()), "What is a bond?")
        return replace(asked, opens_thread=True, asks_late=True)

    async def test_is_stored_with_its_answer_once(
        self, history: ThreadHistory, store: ThreadStore, alice: Principal, run: RunRecord
    ) -> None:
        answer = ended(run, "A loan.", finish_reason="stop", usage=Usage(1, 2, 3))
        for _ in range(2):
            await history.keep(answer, [finished("1", "x")])
        thread_id = str(run.thread_id)
        question, kept = (await store.messages(alice, thread_id, 100)).items
        assert (question.role, question.content, question.run_id) == ("human", "What is a bond?", run.id)
        assert (kept.role, kept.content, kept.status, kept.finish_reason) == (
            "ai",
            "A loan.",
            "complete",
            "stop",
        )
        assert kept.usage == Usage(1, 2, 3)
        assert kept.tool_calls[0].output == "x"
        assert (await store.get(alice, thread_id)).title == "What is a bond?"
        assert [(place.id, place.parent_id) for place in await store.shown(alice, thread_id)] == [
            (question.id, ""),
            (kept.id, question.id),
        ]

    async def test_is_stored_alone_once_and_answered_then(
        self, history: ThreadHistory, store: ThreadStore, alice: Principal, run: RunRecord
    ) -> None:
        for _ in range(2):
            await history.begin(run)
        await history.keep(ended(run, "A loan."), [])
        await history.keep(replace(ended(run, "A loan."), asks_late=False), [])
        said = (await store.messages(alice, str(run.thread_id), 100)).items
        assert [(message.role, message.content) for message in said] == [
            ("human", "What is a bond?"),
            ("ai", "A loan."),
        ]

    async def test_stays_deleted_when_its_answer_comes(
        self, history: ThreadHistory, store: ThreadStore, alice: Principal, run: RunRecord
    ) -> None:
        await history.begin(run)
        await store.delete(alice, str(run.thread_id))
        await history.keep(replace(ended(run, "A loan."), asks_late=False), [])
        with pytest.raises(NotFound):
            await store.get(alice, str(run.thread_id))

    async def test_adds_nothing_to_anothers_thread(
        self,
        history: ThreadHistory,
        store: ThreadStore,
        alice: Principal,
        run: RunRecord,
        stranger: Principal,
    ) -> None:
        await history.begin(run)
        await history.keep(replace(ended(run, "mine"), principal=stranger), [])
        said = (await store.messages(alice, str(run.thread_id), 100)).items
        assert [message.content for message in said] == ["What is a bond?"]


class TestWithoutAThread:
    async def test_nothing_is_kept_and_nothing_is_told(
        self, history: ThreadHistory, store: ThreadStore, alice: Principal
    ) -> None:
        run = run_of(alice, None)
        await history.begin(run)
        await history.keep(ended(run, "A loan."), [])
        assert await history.before(run) == []
        assert (await store.page(alice, 10)).items == ()


class TestSaid:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ({"input": "Hello"}, "Hello"),
            ({"length": "short", "input": "Hello"}, "Hello"),
            ({"text": "A long text", "length": "short"}, "A long text"),
            ({"input": 5, "count": 3, "text": "Hello"}, "Hello"),
            ({"count": 3}, ""),
            ({}, ""),
        ],
    )
    def test_is_the_input_or_else_the_first_text(self, value: dict[str, Any], text: str) -> None:
        assert said(value) == text


class TestMoreThanSaid:
    @pytest.mark.parametrize("value", ["Hello", {"input": "Hello"}, [HUMAN], {"messages": [HUMAN]}])
    def test_is_nothing_where_a_text_or_messages_are_all(self, value: Any) -> None:
        assert more_than_said(value) is None

    def test_is_nothing_where_messages_came_before_a_text(self) -> None:
        assert more_than_said({"input": "Hello", "history": [HUMAN]}) is None

    def test_a_message_is_its_text(self) -> None:
        given = {"messages": [HUMAN], "day": "Monday"}
        assert more_than_said(given) == {"input": "Hello", "day": "Monday"}

    @pytest.mark.parametrize(
        "value", [5, [1, 2], {}, {"count": 3}, {"input": "Hello", "length": "short"}, {"tags": ["a"]}]
    )
    def test_is_the_input_where_it_is_anything_else(self, value: Any) -> None:
        assert more_than_said(value) == value


class TestToolCalls:
    def test_are_paired_by_their_id_in_the_order_in_which_they_began(self) -> None:
        steps: list[Event] = [
            Start(run_id="r", thread_id=None, runnable="/agent", attempt=1),
            AgentAction(content="Action: calculator", tool="calculator", call_id="a"),
            began("a", expression="1+1"),
            began("b", expression="x"),
            finished("b", "x is no number", is_error=True),
            finished("a", "2"),
        ]
        assert tool_calls(steps) == (
            ToolCall(tool="calculator", call_id="a", input={"expression": "1+1"}, output="2"),
            ToolCall(
                tool="calculator",
                call_id="b",
                input={"expression": "x"},
                output="x is no number",
                is_error=True,
            ),
        )

    def test_that_did_not_end_have_no_output(self) -> None:
        [call] = tool_calls([began("a", expression="1+1")])
        assert (call.output, call.is_error) == (None, False)

    def test_without_ids_end_in_the_order_in_which_they_began(self) -> None:
        calls = tool_calls([began("", n=1), began("", n=2), finished("", "one"), finished("", "two")])
        assert [(call.input["n"], call.output) for call in calls] == [(1, "one"), (2, "two")]

    def test_that_began_in_an_earlier_attempt_have_no_input(self) -> None:
        [call] = tool_calls([Restart(content="gone", attempt=2), finished("a", "2", tool="roi")])
        assert call == ToolCall(tool="roi", call_id="a", input={}, output="2")


class TestTwoUsers:
    async def test_of_two_tenants_in_turn_are_told_their_own_words(self, history: ThreadHistory) -> None:
        owners = [principal(tenant, user) for tenant in ("acme", "beta") for user in ("alice", "bob")]
        ids = [await opened(history, owner, "Hello") for owner in owners]
        for turn in range(3):
            for owner, thread_id in zip(owners, ids, strict=True):
                await exchange(history, owner, thread_id, f"{owner.credential_id} {turn}", f"ok {turn}")
        for owner, thread_id in zip(owners, ids, strict=True):
            expected = [text for turn in range(3) for text in (f"{owner.credential_id} {turn}", f"ok {turn}")]
            assert await contents(history, run_of(owner, thread_id)) == expected


async def test_a_database_that_is_away_is_told_as_such(
    history: ThreadHistory, alice: Principal, thread_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(_store: ThreadStore, *_arguments: object) -> None:
        raise OperationalError("INSERT", {}, ConnectionResetError())

    run = run_of(alice, thread_id)
    await history.begin(run)
    monkeypatch.setattr(ThreadStore, "answer", answer)
    with pytest.raises(HistoryAway):
        await history.keep(ended(run, "Yes."), [])
