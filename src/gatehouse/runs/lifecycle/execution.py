"""One attempt at a run, executed in this process."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn
from uuid import UUID

import structlog
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.runnables import Runnable, RunnableConfig

from gatehouse.plain_json import Halves, whole_text
from gatehouse.problems.draining import Restarting
from gatehouse.problems.errors import CredentialExpired, DeadlineExceeded
from gatehouse.problems.stores import ThreadAway
from gatehouse.runs.answer_cache import AnswerCache, answer_key
from gatehouse.runs.clock import Clock
from gatehouse.runs.conversation.places import GOING_ON, STATE, GoingOn, StatePlace
from gatehouse.runs.events import (
    BEGINNING,
    Cursor,
    Event,
    Record,
    Restart,
    Start,
    Token,
    ToolEnd,
    ToolStart,
    record,
)
from gatehouse.runs.lifecycle.containing import RunnableExited
from gatehouse.runs.log.feed import Feed
from gatehouse.runs.log.log import LogWriter
from gatehouse.runs.metering import UsageMeter
from gatehouse.runs.records import RunRecord
from gatehouse.runs.sources.answers import Answer
from gatehouse.runs.sources.serving import Serving, serving_of
from gatehouse.runs.sources.sources import Mode, source
from gatehouse.runs.sources.steps import NOTHING, Interrupted
from gatehouse.runs.sources.tap import Tap
from gatehouse.runs.sources.telling import NOT_THE_ANSWER, Emit
from gatehouse.runs.waits import Answers

log = structlog.get_logger(__name__)

Stop = Literal["cancelled", "deadline", "credential", "lost", "handover", "restarting", "unkept"]
Phase = Literal["waiting", "producing", "produced"]  # for its history, by its runnable, and to be ended

BURST = 64  # chunks after which a model that never waits lets others have the event loop
HELD_POLL = 0.05
JOIN_SECONDS = 1.0  # in which the first viewer of an attempt may come: a run is started before it is viewed


class Halted(Exception):
    """The execution was stopped; its `stop` says why."""


ENDINGS: Mapping[Stop, type[Exception]] = {
    "deadline": DeadlineExceeded,
    "credential": CredentialExpired,
    "restarting": Restarting,
    "unkept": ThreadAway,
}


@dataclass(slots=True)
class ExecutionLimits:
    """What an execution keeps to: seconds, and records of the run log."""

    recursion: int
    feed_size: int


class Execution:
    """Runs a runnable for a record, emits its events into the feed and the log, and ends the run.

    `held_until` is the time (monotonic) until which this process surely holds the lease. What comes after
    it is withheld until the lease was renewed: a process that was paused and wakes up after another took
    its run shows nobody anything more.
    """

    def __init__(
        self,
        run: RunRecord,
        runnable: Runnable[Any, Any] | Serving,
        writer: LogWriter,
        limits: ExecutionLimits,
        clock: Clock,
        held_until: float,
        cache: AnswerCache | None = None,
    ) -> None:
        self.run = run
        self.cache = cache
        self.serving = serving_of(runnable)
        self.writer = writer
        self.limits = limits
        self.clock = clock
        self.held_until = held_until
        # the records of earlier attempts are in the log alone
        self.feed = Feed(limits.feed_size, BEGINNING if run.attempt == 1 else Cursor(run.attempt, 0))
        self.meter = UsageMeter(again=run.attempt > 1 and not run.after_wait)
        self.text: list[str] = [run.text] if run.after_wait and run.text else []
        self.answers = Answers()  # of people, to what an earlier attempt asked
        self.asked: Interrupted | None = None  # of people, when the runnable can go no further
        self.waits_for: Sequence[str] = ()  # the ids of the approvals, when they are kept
        self.answer: Answer | None = None  # when the runnable has returned
        self._place: StatePlace | None = None
        self.steps: list[Event] = []
        self._halves = Halves()
        self.viewers = 0
        self.alone_since = time.monotonic() + JOIN_SECONDS
        self.stop: Stop | None = None
        self.leaving: Stop | None = None
        self.acted = False  # whether a tool that acts was called
        self.tools: set[str] = set()  # the ids of calls that have not returned
        self.phase: Phase = "waiting"
        self.task: asyncio.Task[None] | None = None
        self._key = run.id, run.attempt
        self._sequence = self._shown = 0
        self._withheld: list[Record | str] = []
        self.began = time.monotonic()
        self.first_token: float | None = None

    @property
    def top(self) -> Cursor:
        """The cursor of the newest event."""
        return Cursor(self.run.attempt, self._sequence)

    @property
    def given_up(self) -> bool:
        """True when the run is another process's now, or is to be."""
        return self.stop in ("lost", "handover")

    @property
    def tool_starts(self) -> list[ToolStart]:
        """The calls of tools that models have made in this attempt."""
        return [step for step in self.steps if isinstance(step, ToolStart)]

    def emit(self, event: Event | Answer | Interrupted) -> None:
        """Give an event to the viewers here and to the log; or take the answer, or what people are asked.

        Half a character waits for its other half.
        """
        if type(event) is Token:
            self._say(event.content)
        elif isinstance(event, Answer):
            self._conclude(event)
        elif isinstance(event, Interrupted):
            self._flush_half()
            self.asked = event
        elif isinstance(event, Restart):
            self.text.clear()
            self._give(self.numbered(replace(event, attempt=self.run.attempt)))
        else:
            self._note_step(event)
            self._give(self.numbered(event))

    def _say(self, text: str) -> None:
        text = self._halves.add(text)
        if not text:
            return
        if self.first_token is None:
            self.first_token = time.monotonic()
        self.text.append(text)
        self._sequence += 1
        self._give(text)

    def _give(self, item: Record | str) -> None:
        """Show the next record, or a token by its text; or withhold it."""
        if self._withheld or time.monotonic() > self.held_until:
            self._withheld.append(item)
        else:
            self._show(item)

    def _conclude(self, answer: Answer) -> None:
        """Take the answer. Where what was told is something else, take that back and tell the answer."""
        self.answer = answer
        self._flush_half()
        told = "".join(self.text)
        if told != whole_text(answer.text):
            if told:
                self.emit(Restart(content=NOT_THE_ANSWER, attempt=self.run.attempt))
            self.emit(Token(answer.text))

    def _flush_half(self) -> None:
        if rest := self._halves.rest():
            self.emit(Token(rest))

    def _note_step(self, event: Event) -> None:
        self.steps.append(event)
        if isinstance(event, ToolStart):
            self.tools.add(event.call_id)
        elif isinstance(event, ToolEnd):
            self.tools.discard(event.call_id)

    def _show(self, item: Record | str) -> None:
        self._shown += 1
        if isinstance(item, str):
            self.feed.say(item)
            self.writer.put(self._key, self._shown, "token", item)
        else:
            self.feed.append(item)
            self.writer.add(self.run.id, item)

    def numbered(self, event: Event) -> Record:
        """Return the event as the next record of this attempt."""
        item = record(Cursor(self.run.attempt, self._sequence + 1), event)  # may refuse what is no Unicode
        self._sequence += 1
        return item

    def asked_in_thread(self) -> None:
        """Note that the run's thread has its question."""
        self.run = replace(self.run, asks_late=False)

    def halt(self, why: Stop) -> None:
        """Stop now. What was produced is kept. The first reason counts, but for the loss of the lease."""
        first = self.stop is None
        if first or why == "lost":
            self.stop = why
        if first and self.phase == "producing" and self.task is not None:
            self.task.cancel()

    def leave(self, why: Stop) -> None:
        """Stop at the next clean point: at once, or when the tools that are at work have returned.

        A run that only has to be ended is not stopped: it would be executed a second time.
        """
        self.leaving = why
        if not self.tools and self.phase != "produced":
            self.halt(why)

    def start_event(self) -> Start:
        run = self.run
        return Start(
            run_id=run.id,
            thread_id=run.thread_id,
            runnable=run.runnable.removeprefix("/"),
            attempt=run.attempt,
        )

    async def produce(self, history: Callable[[], Awaitable[dict[str, Any]]], tap: Tap | None) -> None:
        """Run to the end.

        Raises what the runnable raises, DeadlineExceeded, CredentialExpired, Restarting, or Halted if it was
        stopped.
        """
        alarm = self._alarm()
        self.phase = "producing"
        try:
            await self._produce(history, tap)
        except BaseException as error:
            if self.stop is None:
                self._raise(error)
        finally:
            alarm.cancel()
            self.phase = "produced"
        if self.stop is not None:
            self._stopped(self.stop)

    def _alarm(self) -> asyncio.TimerHandle:
        """Stop at the deadline or with the credential, unless what is returned is cancelled before."""
        why: Stop = "deadline"
        moment = self.run.deadline
        if (expires_at := self.run.principal.expires_at) is not None and expires_at < moment:
            moment, why = expires_at, "credential"
        seconds = moment - self.clock.now()
        if seconds <= 0:  # the loop would call it after the runnable has begun
            self.halt(why)
        return asyncio.get_running_loop().call_later(max(0.0, seconds), self.halt, why)

    def _raise(self, error: BaseException) -> NoReturn:
        """Raise what the runnable raised; what is no Exception is a failure like another, too.

        That goes for a cancellation that nobody asked for, and for what would end the process.
        """
        if isinstance(error, asyncio.CancelledError) and not (self.task and self.task.cancelling()):
            raise RuntimeError("the runnable cancelled itself") from error
        if not isinstance(error, asyncio.CancelledError | Exception):
            raise RunnableExited(type(error).__name__) from error
        raise error

    def _stopped(self, why: Stop) -> NoReturn:
        """Raise for an execution that was stopped, whatever the runnable made of that."""
        while self.task is not None and self.task.cancelling():
            self.task.uncancel()
        raise ENDINGS.get(why, Halted)

    async def _produce(self, history: Callable[[], Awaitable[dict[str, Any]]], tap: Tap | None) -> None:
        if self.stop is not None:
            return
        self.serving = self.serving.bound(self.run.client)
        before = await history()
        self._place = before.get("place")
        value = self.serving.input_of(self.run.input, before.get("history"), before.get("files", []))
        count = 0
        async with aclosing(self._source(value, before, tap)) as source:
            async for chunk in source:
                if self._withheld or self.writer.congested:
                    await self._hold()
                if tap is not None and chunk is not NOTHING:
                    tap.put(chunk)
                    if tap.full:
                        await tap.room()
                count += 1
                if count == 1 or count % BURST == 0:
                    await asyncio.sleep(0)
                if self.leaving and not self.tools:
                    self.stop = self.stop or self.leaving
                if self.stop is not None:  # or something inside the runnable swallowed the cancellation
                    return
        self._flush_half()
        await self._hold()

    def _source(
        self, value: dict[str, Any], before: Mapping[str, Any], tap: Tap | None
    ) -> AsyncGenerator[Any]:
        """Return what the runnable yields, or has yielded when it was asked the same."""
        mode: Mode = tap.mode if tap else "told"
        config = self.config(tap.callbacks if tap else ())

        def run(emit: Emit) -> AsyncGenerator[Any]:
            if tap is None:
                return source(mode, self.serving, value, config, emit, {})
            return source(mode, self.serving, value, config, emit, tap.options, tap.room)

        caching = self.serving.caching
        if caching is None or self.cache is None or not can_be_kept(self.run, mode, tap):
            return run(self.emit)
        key = answer_key(self.run, caching, mode, config["configurable"], before.get("history") or ())
        return self.cache.again(key, caching.seconds, run, self.emit, self._came_to_its_end)

    def _came_to_its_end(self) -> bool:
        return self.stop is None and self.meter.finish_reason == "stop"

    def config(self, callbacks: Sequence[BaseCallbackHandler] = ()) -> RunnableConfig:
        """Return the config that the runnable sees: the principal's identity and this run's."""
        run = self.run
        later = run.attempt > 1
        return {
            "run_id": UUID(run.id),
            "run_name": run.runnable,  # with its slash, as LangServe names runs
            "recursion_limit": self.limits.recursion,
            "callbacks": [self.meter, *callbacks],
            "tags": run.client.get("tags", []),
            "metadata": run.client.get("metadata", {}),
            "configurable": self.serving.configurable(
                run.client.get("configurable", {}),
                {
                    **run.principal.configurable(),
                    "thread_id": run.thread_id,
                    "run_id": run.id,
                    "attempt": run.attempt,
                    **({STATE: self._place} if self._place else {}),
                    **({GOING_ON: GoingOn(self.answers.by_interrupt, run.after_wait)} if later else {}),
                },
            ),
        }

    async def _hold(self) -> None:
        """Wait while the lease is in doubt or Redis does not keep up."""
        await self.settle()
        await self.writer.room()

    async def settle(self) -> None:
        """Return when the lease is certain and what was withheld is shown, or when the run is given up."""
        while time.monotonic() > self.held_until and not self.given_up:
            await asyncio.sleep(HELD_POLL)
        if not self.given_up:
            withheld, self._withheld = self._withheld, []
            for item in withheld:
                self._show(item)


def can_be_kept(run: RunRecord, mode: Mode, tap: Tap | None) -> bool:
    """Tell whether an answer says all that a run of this kind tells, so that it can be given again."""
    observed = mode in ("events", "log") or (tap is not None and tap.callbacks)
    return run.attempt == 1 and not run.attachments and not observed


# The attempt that goes on in this context
execution_of_context: ContextVar[Execution | None] = ContextVar("execution_of_context", default=None)
