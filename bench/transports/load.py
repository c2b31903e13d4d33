"""The load generator: asks for answers over raw sockets, counts their tokens and times the first.

It looks for bytes instead of parsing, so that it costs a fraction of what it measures.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bench.transports.targets import Target, masked

CLOSE_FRAME, PONG_FRAME = 8, 10
PING = b"\x89\x04"  # the head of uvicorn's pings, which no UTF-8 text has in it
PING_BYTES = 6


class BadAnswer(Exception):
    """The server answered with something else than the tokens it was asked for."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`first` is in seconds from before the connection was made to the first token."""

    tokens: int
    first: float


class Stream(asyncio.Protocol):
    """One connection that asks once. `done` has the answer when all of it has come."""

    def __init__(self, target: Target, prompt: str, headers: Mapping[str, str]) -> None:
        self.target = target
        self.prompt = prompt
        self.headers = headers
        self.began = time.perf_counter()
        self.tokens = self.received = 0
        self.first = 0.0
        self.started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._head = b""
        self._accepted = False
        self._token_tail = b""
        self._end_tail = b""
        self._ping_tail = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self.target.websocket:
            transport.write(self.target.opening(self.headers))
        else:
            transport.write(self.target.asking(self.prompt, self.headers))

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if not self._accepted:
            data = self._accept(data)
        if self.target.websocket:
            self._answer_ping(data)
        seen = self._token_tail + data
        if count := seen.count(self.target.token):
            if not self.tokens:
                self.first = time.perf_counter() - self.began
                self.started.set_result(None)
            self.tokens += count
        self._token_tail = seen[1 - len(self.target.token) :]
        seen = self._end_tail + data
        if self.target.end in seen and not self.done.done():
            self.done.set_result(Answer(self.tokens, self.first))
            self.leave()
        self._end_tail = seen[1 - len(self.target.end) :]

    def _answer_ping(self, data: bytes) -> None:
        """Send the pong without which the server closes the socket 40 s after it was opened."""
        seen = self._ping_tail + data
        at = seen.find(PING)
        if at >= 0 and len(seen) >= at + PING_BYTES and self._transport is not None:
            self._transport.write(masked(seen[at + 2 : at + PING_BYTES], PONG_FRAME))
            seen = b""
        self._ping_tail = seen[1 - PING_BYTES :]

    def _accept(self, data: bytes) -> bytes:
        """Read the response's head; return what comes after it."""
        self._head += data
        head, blank, rest = self._head.partition(b"\r\n\r\n")
        if not blank:
            return b""
        wanted = b"101" if self.target.websocket else b"200"
        if head.split(b" ", 2)[1] != wanted:
            self._fail(f"{self.target.name}: {self._head[:1200]!r}")
            return b""
        self._accepted = True
        if self.target.websocket and self._transport is not None:
            self._transport.write(self.target.asking(self.prompt, self.headers))
        return rest

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"{self.target.name}: the connection ended after {self.tokens} tokens ({exc})")

    def _fail(self, why: str) -> None:
        for future in (self.started, self.done):
            if not future.done():
                future.set_exception(BadAnswer(why))
                future.exception()  # else asyncio complains where nobody waits for it

    def leave(self) -> None:
        if self._transport is not None:
            if self.target.websocket:
                self._transport.write(masked(b"", CLOSE_FRAME))
            self._transport.close()


@dataclass(frozen=True, slots=True)
class Client:
    """Asks one target at one port."""

    target: Target
    port: int
    headers: Mapping[str, str]

    async def open(self, prompt: str) -> Stream:
        """Return a stream that has asked. Raises OSError."""
        stream = Stream(self.target, prompt, self.headers)
        await asyncio.get_running_loop().create_connection(lambda: stream, "127.0.0.1", self.port)
        return stream

    async def ask(self, tokens: int, delay: float = 0.0) -> Answer:
        """Return an answer of so many tokens, with `delay` seconds before each. Raises BadAnswer."""
        stream = await self.open(prompt(tokens, delay))
        async with asyncio.timeout(60):
            answer = await stream.done
        if answer.tokens < tokens:
            raise BadAnswer(f"{self.target.name}: {answer.tokens} of {tokens} tokens came")
        return answer

    async def keep_asking(
        self, streams: int, seconds: float, tokens: int, delay: float = 0.0, spread: float = 0.0
    ) -> list[Answer]:
        """Return the answers to `streams` askers who each ask again and again for `seconds`.

        Their first questions are spread over so many seconds.
        """
        until = time.perf_counter() + seconds
        answers: list[Answer] = []

        async def asker(number: int) -> None:
            await asyncio.sleep(spread * number / streams)
            while time.perf_counter() < until:
                answers.append(await self.ask(tokens, delay))

        async with asyncio.TaskGroup() as group:
            for number in range(streams):
                group.create_task(asker(number))
        return answers


def prompt(tokens: int, delay: float) -> str:
    return f"[delay {delay}] [tokens {tokens}]"
