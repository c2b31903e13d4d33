"""The loops around a call of a model, streamed or in one piece, for event loops and for threads."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Generic, TypeVar

from gatehouse.models.guarded.calls import Candidate, ModelAttempts, ModelWatch
from gatehouse.models.guarded.shares import UNSHARED, TenantShares
from gatehouse.models.guarded.silence import Silence

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")


class Beginning(Generic[Chunk]):
    """Holds back the chunks before the first one that says something.

    Providers send some before they begin to answer; up to that, another may still be asked.
    """

    def __init__(self, began: Callable[[], None]) -> None:
        self.shown = False
        self._began = began
        self._held: list[Chunk] = []

    def take(self, chunk: Chunk, says_something: bool) -> list[Chunk]:
        """Return what is to be shown now that this chunk came."""
        self._held.append(chunk)
        return self.all() if says_something else []

    def all(self) -> list[Chunk]:
        """Return what was held back; the answer has begun, or has ended without a word."""
        if not self.shown:
            self._began()
        self.shown = True
        held, self._held = self._held, []
        return held


async def streamed(
    candidates: Sequence[Candidate[Callable[[], AsyncGenerator[Chunk]]]],
    watch: ModelWatch,
    look: Callable[[Chunk], bool],
    shares: TenantShares = UNSHARED,
) -> AsyncGenerator[Chunk]:
    """Yield the chunks of the first candidate that answers. Raises ModelFailed, or what is not the model's.

    `look` tells whether a chunk says something; it is asked up to the first that does. The call holds one of
    its tenant's places in `shares`.
    """
    async with shares.taken():
        attempts = ModelAttempts(candidates, watch)
        while True:
            beginning = Beginning[Chunk](attempts.succeeded)
            silence = Silence(attempts.current.patience.silence, attempts.seconds_left())
            try:
                with silence:
                    async with aclosing(attempts.current.source()) as chunks:
                        silence.wait()
                        async for chunk in chunks:
                            silence.heard()
                            if beginning.shown:
                                yield chunk
                            else:
                                for early in beginning.take(chunk, look(chunk)):
                                    yield early
                            silence.wait()
                        silence.heard()
                break
            except (asyncio.CancelledError, Exception) as error:
                pause = attempts.failed(silence.reason(error), beginning.shown)
            await asyncio.sleep(pause)
        for chunk in beginning.all():
            yield chunk


async def answered(
    candidates: Sequence[Candidate[Callable[[], Awaitable[Result]]]],
    watch: ModelWatch,
    shares: TenantShares = UNSHARED,
) -> Result:
    """Return the answer of the first candidate that has one. Raises as `streamed` does."""
    async with shares.taken():
        attempts = ModelAttempts(candidates, watch)
        while True:
            try:
                async with asyncio.timeout(attempts.seconds_left()):
                    result = await attempts.current.source()
            except Exception as error:
                pause = attempts.failed(error, shown=False)
            else:
                attempts.succeeded()
                return result
            await asyncio.sleep(pause)


def streamed_in_thread(
    candidates: Sequence[Candidate[Callable[[], Iterator[Chunk]]]],
    watch: ModelWatch,
    look: Callable[[Chunk], bool],
) -> Iterator[Chunk]:
    """Yield as `streamed` does. How long a silence may be is up to the provider's client: a thread waits."""
    attempts = ModelAttempts(candidates, watch)
    while True:
        beginning = Beginning[Chunk](attempts.succeeded)
        try:
            for chunk in attempts.current.source():
                yield from beginning.take(chunk, beginning.shown or look(chunk))
            break
        except Exception as error:
            pause = attempts.failed(error, beginning.shown)
        time.sleep(pause)
    yield from beginning.all()


def answered_in_thread(candidates: Sequence[Candidate[Callable[[], Result]]], watch: ModelWatch) -> Result:
    """Return as `answered` does. How long the wait may be is up to the provider's client."""
    attempts = ModelAttempts(candidates, watch)
    while True:
        try:
            result = attempts.current.source()
        except Exception as error:
            pause = attempts.failed(error, shown=False)
        else:
            attempts.succeeded()
            return result
        time.sleep(pause)
