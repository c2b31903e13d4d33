"""Callback handlers on real chains over the scripted model: what they write, keep and report."""

import asyncio
import io
import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from agent_graphs import agent_graph
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeListLLM, LanguageModelInput
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool

from gatehouse.callbacks.handlers import Accumulator, Progress, ProgressTracker, StreamingWriter
from gatehouse.callbacks.text import TextHandler, text_of
from gatehouse.models.scripted.chat import ScriptedChatModel, ScriptedFailure
from gatehouse.registry.entry import Parts
from gatehouse.runs.sources.graphs.streaming_agent import StreamingAgent

MODEL = ScriptedChatModel()
EXAMPLE = Path(__file__).parents[3] / "examples/python/callbacks.py"


def heard_by(*handlers: BaseCallbackHandler) -> RunnableConfig:
    return {"callbacks": list(handlers)}


async def ask(question: str, *handlers: BaseCallbackHandler) -> None:
    async for _ in MODEL.astream(question, heard_by(*handlers)):
        pass


@tool
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


class TestTextOf:
    def test_a_string_is_the_text(self) -> None:
        assert text_of("a") == "a"

    def test_of_blocks_it_is_their_text(self) -> None:
        blocks: list[str | dict[str, Any]] = ["a", {"type": "text", "text": "b"}, {"type": "image"}]
        assert text_of(blocks) == "ab"


class TestTextHandler:
    """What every handler here has in common."""

    async def test_it_hears_a_call_in_order_and_by_its_run_id(self) -> None:
        heard: list[tuple[str, UUID, Any]] = []

        class Ears(TextHandler):
            def began(self, run_id: UUID) -> None:
                heard.append(("began", run_id, None))

            def said(self, run_id: UUID, text: str) -> None:
                heard.append(("said", run_id, text))

            def ended(self, run_id: UUID, tokens: int | None, error: BaseException | None) -> None:
                heard.append(("ended", run_id, (tokens, error)))

        await ask("[say good day]", Ears())
        assert [(name, what) for name, _, what in heard] == [
            ("began", None), ("said", "good"), ("said", " day"), ("ended", (2, None)),
        ]  # fmt: skip
        assert len({run_id for _, run_id, _ in heard}) == 1

    async def test_it_stays_in_the_event_loops_thread(self) -> None:
        threads = set()

        class Where(TextHandler):
            def said(self, run_id: UUID, text: str) -> None:
                threads.add(threading.get_ident())

        await ask("[tokens 3]", Where())
        assert threads == {threading.get_ident()}

    async def test_the_base_itself_does_nothing(self) -> None:
        await ask("[tokens 2]", TextHandler())
        with pytest.raises(ScriptedFailure):
            await ask("[fail]", TextHandler())

    def test_a_model_of_texts_is_heard_too(self) -> None:
        kept = Accumulator()
        FakeListLLM(responses=["fine"]).invoke("how are you?", heard_by(kept))
        assert kept.text == "fine"

    def test_a_result_without_anything_is_an_empty_answer(self) -> None:
        kept, run_id = Accumulator(), uuid4()
        kept.on_llm_start({}, [""], run_id=run_id)
        kept.on_llm_end(LLMResult(generations=[]), run_id=run_id)
        assert kept.answers[run_id].ended
        assert kept.text == ""


class TestStreamingWriter:
    async def test_it_writes_a_prefixed_line_and_counts(self) -> None:
        stream = io.StringIO()
        writer = StreamingWriter(stream, prefix="Bot: ")
        await ask("[say one two three]", writer)
        assert stream.getvalue() == "Bot: one two three\n"
        assert writer.tokens == 3

    async def test_it_writes_as_it_comes(self) -> None:
        stream, seen = io.StringIO(), []
        async for _ in MODEL.astream("[tokens 3]", heard_by(StreamingWriter(stream))):
            seen.append(stream.getvalue())
        assert seen[:3] == ["t1", "t1 t2", "t1 t2 t3"]

    def test_standard_output_is_the_default(self, capsys: pytest.CaptureFixture[str]) -> None:
        for _ in MODEL.stream("[say hello]", heard_by(StreamingWriter())):
            pass
        assert capsys.readouterr().out == "hello\n"

    def test_an_answer_in_one_piece_is_written_too(self) -> None:
        stream = io.StringIO()
        writer = StreamingWriter(stream, prefix="> ")
        MODEL.invoke("[say all at once]", heard_by(writer))
        assert stream.getvalue() == "> all at once\n"
        assert writer.tokens == 3  # the model says so

    async def test_answers_at_once_are_written_one_after_the_other(self) -> None:
        stream = io.StringIO()
        writer = StreamingWriter(stream, prefix="> ")
        questions = [f"[delay 0.001][say {letter} {letter} {letter}]" for letter in "abcd"]
        await asyncio.gather(*(ask(question, writer) for question in questions))
        lines = stream.getvalue().splitlines()
        assert sorted(lines) == [f"> {letter} {letter} {letter}" for letter in "abcd"]
        assert writer.tokens == 12

    def test_answers_of_threads_do_not_mix_either(self) -> None:
        stream = io.StringIO()
        questions: list[LanguageModelInput] = [
            f"[delay 0.001][say {letter} {letter} {letter}]" for letter in "abcdef"
        ]
        MODEL.batch(questions, heard_by(StreamingWriter(stream)))
        assert sorted(stream.getvalue().splitlines()) == [
            f"{letter} {letter} {letter}" for letter in "abcdef"
        ]

    async def test_what_failed_ends_its_line_and_lets_others_write(self) -> None:
        stream = io.StringIO()
        writer = StreamingWriter(stream)
        with pytest.raises(ScriptedFailure):
            await ask("[tokens 5][fail after 2]", writer)
        await ask("[say next]", writer)
        assert stream.getvalue() == "t1 t2\nnext\n"

    async def test_what_says_nothing_writes_nothing(self) -> None:
        stream = io.StringIO()
        with pytest.raises(ScriptedFailure):
            await ask("[fail]", StreamingWriter(stream, prefix="> "))
        assert stream.getvalue() == ""

    async def test_a_stream_that_is_gone_ends_the_run(self, caplog: pytest.LogCaptureFixture) -> None:
        class Gone(io.StringIO):
            def write(self, text: str) -> int:
                raise BrokenPipeError

        caplog.set_level(logging.CRITICAL)
        with pytest.raises(BrokenPipeError):
            await ask("[tokens 5]", StreamingWriter(Gone()))


class TestAccumulator:
    async def test_it_has_the_text_while_it_comes(self) -> None:
        kept, seen = Accumulator(), []
        assert kept.text == ""
        async for _ in MODEL.astream("[tokens 2]", heard_by(kept)):
            seen.append(kept.text)
        assert seen[:2] == ["t1", "t1 t2"]

    async def test_it_keeps_runs_apart(self) -> None:
        kept = Accumulator()
        questions = [f"[delay 0.001][say {letter} {letter}]" for letter in "abc"]
        await asyncio.gather(*(ask(question, kept) for question in questions))
        assert sorted(answer.text for answer in kept.answers.values()) == ["a a", "b b", "c c"]
        assert all(answer.ended and answer.error is None for answer in kept.answers.values())
        assert kept.tokens == 6

    async def test_a_failure_is_kept_with_what_came_before(self) -> None:
        kept = Accumulator()
        with pytest.raises(ScriptedFailure):
            await ask("[tokens 5][fail after 2]", kept)
        (answer,) = kept.answers.values()
        assert (answer.text, answer.tokens, answer.ended) == ("t1 t2", 2, True)
        assert isinstance(answer.error, ScriptedFailure)

    async def test_of_an_agent_the_text_is_the_final_answer(self) -> None:
        kept = Accumulator()
        served = StreamingAgent(agent_graph(Parts(MODEL, [double])))
        question = '[say let me see][tool double {"number": 4}][say it is eight]'
        async for _ in served.astream({"input": question}, heard_by(kept)):
            pass
        assert kept.text == "it is eight"
        assert [answer.text for answer in kept.answers.values()] == ["let me see", "it is eight"]

    async def test_it_forgets_the_oldest(self) -> None:
        kept = Accumulator(keep=2)
        for word in ("one", "two", "three"):
            await ask(f"[say {word}]", kept)
        assert [answer.text for answer in kept.answers.values()] == ["two", "three"]

    async def test_what_was_forgotten_while_it_spoke_stays_forgotten(self) -> None:
        kept = Accumulator(keep=1)
        async for _ in MODEL.astream("[say early bird]", heard_by(kept)):
            await ask("[say late]", kept)
        assert [answer.text for answer in kept.answers.values()] == ["late"]


class TestProgressTracker:
    async def test_it_reports_the_first_token_and_the_end(self) -> None:
        reports: list[tuple[UUID, int, Progress]] = []

        def note(run_id: UUID, progress: Progress) -> None:
            reports.append((run_id, progress.tokens, progress))

        await ask("[tokens 40]", ProgressTracker(note, every=3600))
        assert [tokens for _, tokens, _ in reports] == [1, 40]
        assert len({run_id for run_id, _, _ in reports}) == 1
        assert (reports[-1][2].seconds_to_first_token or 0) > 0
        assert reports[-1][2].tokens_per_second > 0

    async def test_it_reports_once_in_a_while(self) -> None:
        ticks = iter(range(1000))
        reports: list[int] = []
        tracker = ProgressTracker(
            lambda _, progress: reports.append(progress.tokens), every=8, clock=lambda: float(next(ticks))
        )
        await ask("[tokens 10]", tracker)  # two looks at the clock for a token: every fourth is reported
        assert reports == [1, 5, 9, 10]

    async def test_a_failure_is_an_end_too(self) -> None:
        reports: list[int] = []
        tracker = ProgressTracker(lambda _, progress: reports.append(progress.tokens), every=3600)
        with pytest.raises(ScriptedFailure):
            await ask("[tokens 9][fail after 3]", tracker)
        assert reports == [1, 3]

    async def test_runs_at_once_are_counted_apart(self) -> None:
        ends: dict[UUID, int] = {}

        def note(run_id: UUID, progress: Progress) -> None:
            ends[run_id] = progress.tokens

        tracker = ProgressTracker(note)
        await asyncio.gather(*(ask(f"[delay 0.001][tokens {count}]", tracker) for count in (3, 5, 8)))
        assert sorted(ends.values()) == [3, 5, 8]


def test_the_example_runs() -> None:
    done = subprocess.run([sys.executable, EXAMPLE], capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Assistant: This is a scripted answer.\n5 tokens; the answer again: This")
    assert done.stdout.count("> This is a scripted answer.\n") == 3
    assert done.stderr.splitlines()[-1].startswith("5 tokens, ")
    assert len(EXAMPLE.read_text().splitlines()) < 60
