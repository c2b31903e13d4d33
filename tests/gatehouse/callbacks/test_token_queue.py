"""The bridge from callbacks to `async for`."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import GenerationChunk, LLMResult
from langchain_core.runnables import RunnableConfig

from gatehouse.callbacks.token_queue import TokenQueue
from gatehouse.models.scripted.chat import ScriptedChatModel, ScriptedFailure

MODEL = ScriptedChatModel()


async def streamed(question: str, queue: TokenQueue) -> str:
    """Answer from inside work that yields nothing itself."""
    parts = [str(chunk.content) async for chunk in MODEL.astream(question, {"callbacks": [queue]})]
    return "".join(parts)


async def texts(queue: TokenQueue, question: str) -> list[str]:
    async with queue.following(streamed(question, queue)) as tokens:
        return [said.text async for said in tokens]


class TestFollowing:
    async def test_it_yields_every_token_and_the_result(self) -> None:
        queue = TokenQueue()
        async with queue.following(streamed("[tokens 500]", queue)) as tokens:
            heard = [said.text async for said in tokens]
            assert "".join(heard) == await tokens.result()
        assert heard == ["t1", *(f" t{number}" for number in range(2, 501))]

    async def test_the_tokens_come_while_the_work_goes_on(self) -> None:
        queue, more = TokenQueue(), asyncio.Event()

        async def half() -> None:
            await streamed("[say first]", queue)
            await more.wait()
            await streamed("[say second]", queue)

        heard = []
        async with queue.following(half()) as tokens:
            async for said in tokens:
                heard.append(said.text)
                more.set()
        assert heard == ["first", "second"]

    async def test_a_slow_reader_holds_the_model(self) -> None:
        queue, produced = TokenQueue(size=4), []

        async def count() -> None:
            async for chunk in MODEL.astream("[tokens 200]", {"callbacks": [queue]}):
                produced.append(chunk)

        async with queue.following(count()) as tokens:
            reader = tokens.__aiter__()
            await anext(reader)
            for _ in range(500):
                await asyncio.sleep(0)
            assert len(produced) <= 8
            assert len([said async for said in reader]) == 199

    async def test_has_room_for_its_size_and_no_more(self) -> None:
        queue, taken, call = TokenQueue(size=2), [], uuid4()

        async def say() -> None:
            for text in "abcd":
                await queue.on_llm_new_token(text, run_id=call)
                taken.append(text)

        async with queue.following(say()) as tokens:
            for _ in range(20):
                await asyncio.sleep(0)
            assert taken == ["a", "b"]
            assert [said.text async for said in tokens] == ["a", "b", "c", "d"]

    async def test_models_at_once_are_told_apart(self) -> None:
        queue = TokenQueue()

        async def both() -> None:
            await asyncio.gather(streamed("[say a a a]", queue), streamed("[say b b b]", queue))

        heard: dict[Any, str] = {}
        async with queue.following(both()) as tokens:
            async for said in tokens:
                heard[said.run_id] = heard.get(said.run_id, "") + said.text
        assert sorted(heard.values()) == ["a a a", "b b b"]

    async def test_an_answer_in_one_piece_is_one_token(self) -> None:
        queue = TokenQueue()
        async with queue.following(MODEL.ainvoke("[say all of it]", {"callbacks": [queue]})) as tokens:
            assert [said.text async for said in tokens] == ["all of it"]


class TestEnding:
    async def test_a_failure_is_raised_after_what_was_said(self) -> None:
        queue, heard = TokenQueue(), []
        with pytest.raises(ScriptedFailure):
            async with queue.following(streamed("[tokens 9][fail after 2]", queue)) as tokens:
                async for said in tokens:
                    heard.append(said.text)
        assert heard == ["t1", " t2"]

    async def test_leaving_cancels_the_work(self) -> None:
        queue, ended = TokenQueue(size=1), asyncio.Event()

        async def endless() -> None:
            try:
                await streamed("[tokens 100000]", queue)
            finally:
                ended.set()

        async with queue.following(endless()) as tokens:
            async for _ in tokens:
                break
        assert ended.is_set()

    async def test_leaving_work_that_has_failed_is_quiet(self) -> None:
        queue = TokenQueue()
        async with queue.following(streamed("[fail]", queue)):
            await asyncio.sleep(0.05)

    async def test_a_cancelled_reader_takes_the_work_along(self) -> None:
        queue, ended = TokenQueue(), asyncio.Event()

        async def waiting() -> str:
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()
            return ""

        async def read() -> None:
            async with queue.following(waiting()) as tokens:
                async for _ in tokens:
                    pass

        reader = asyncio.create_task(read())
        await asyncio.sleep(0.01)
        reader.cancel()
        await asyncio.wait([reader])
        assert reader.cancelled()
        assert ended.is_set()

    async def test_work_that_is_cancelled_ends_the_tokens(self) -> None:
        queue = TokenQueue()

        async def cancelling() -> None:
            raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            async with queue.following(cancelling()) as tokens:
                async for _ in tokens:
                    pass

    async def test_it_follows_one_piece_of_work_only(self) -> None:
        queue = TokenQueue()
        assert await texts(queue, "[say once]") == ["once"]
        with pytest.raises(RuntimeError, match="one piece of work"):
            await texts(queue, "[say twice]")

    async def test_what_is_said_after_the_reader_left_is_dropped(self) -> None:
        queue = TokenQueue(size=1)
        assert await texts(queue, "[say once]") == ["once"]
        assert await streamed("[tokens 50]", queue)  # and does not wait for room


class Threaded(GenericFakeChatModel):
    """A model without asynchronous methods: LangChain streams it in threads."""

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        for chunk in super()._stream(*args, **kwargs):
            assert threading.current_thread() is not threading.main_thread()
            yield chunk


class TestThreads:
    async def test_a_model_in_a_thread_is_heard_in_order(self) -> None:
        queue = TokenQueue(size=2)
        model = Threaded(messages=iter([AIMessage("one two three four")]))

        async def stream() -> None:
            async for _ in model.astream("?", {"callbacks": [queue]}):
                pass

        async with queue.following(stream()) as tokens:
            assert "".join([said.text async for said in tokens]) == "one two three four"

    async def test_a_synchronous_caller_in_a_thread_is_heard_and_held(self) -> None:
        queue = TokenQueue(size=2)
        config: RunnableConfig = {"callbacks": [queue]}
        work = asyncio.to_thread(lambda: list(MODEL.stream("[tokens 40]", config)))
        async with queue.following(work) as tokens:
            assert len([said async for said in tokens]) == 40

    async def test_a_thread_that_waits_for_room_is_let_go_when_the_reader_leaves(self) -> None:
        queue, over = TokenQueue(size=1), threading.Event()

        def work() -> None:
            list(MODEL.stream("[tokens 40]", {"callbacks": [queue]}))
            over.set()

        async with queue.following(asyncio.to_thread(work)) as tokens:
            async for _ in tokens:
                break
        assert await asyncio.to_thread(over.wait, 20)


async def test_a_model_of_texts_is_heard_too() -> None:
    queue = TokenQueue()
    run_id = uuid4()

    async def speak() -> None:
        await queue.on_llm_new_token("a", chunk=GenerationChunk(text="a"), run_id=run_id)
        await queue.on_llm_new_token("", run_id=run_id)
        await queue.on_llm_end(LLMResult(generations=[]), run_id=run_id)

    async with queue.following(speak()) as tokens:
        assert [said.text async for said in tokens] == ["a"]
