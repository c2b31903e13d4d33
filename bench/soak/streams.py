"""Slow streams that are kept open: each asks again when its answer is complete."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from bench.transports.load import BadAnswer, Client, prompt
from bench.transports.targets import Target, langserve, run, websocket

TARGETS: Sequence[Target] = (
    run("typed events", "redis"),
    websocket("WebSocket", "redis"),
    langserve("LangServe", "redis"),
)


@dataclass(slots=True)
class Streams:
    """So many streams of all transports to one server. `tokens` of `delay` seconds make an answer.

    Answers are between half as long and half as long again: else all would end and begin together.
    """

    port: int
    headers: Mapping[str, str]
    count: int
    tokens: int
    delay: float
    opened_a_second: float
    open: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    random: Random = field(default_factory=lambda: Random(1))

    async def keep(self, seconds: float) -> None:
        """Open them at their pace, keep them open until so many seconds have passed, then let them end."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        async with asyncio.TaskGroup() as group:
            for number in range(self.count):
                target = TARGETS[number % len(TARGETS)]
                group.create_task(self._ask_again(Client(target, self.port, self.headers), until))
                await asyncio.sleep(1 / self.opened_a_second)

    async def _ask_again(self, client: Client, until: float) -> None:
        loop = asyncio.get_running_loop()
        while loop.time() < until:
            try:
                await self._ask(client)
                self.answers[client.target.name] += 1
            except (BadAnswer, OSError) as error:
                self.failures[f"{client.target.name}: {error}"[:200]] += 1
                await asyncio.sleep(1)

    async def _ask(self, client: Client) -> None:
        """Read one answer. Raises BadAnswer, and TimeoutError when it takes twice as long as it should."""
        tokens = self.random.randint(self.tokens // 2, self.tokens * 3 // 2)
        stream = await client.open(prompt(tokens, self.delay))
        self.open += 1
        try:
            async with asyncio.timeout(30 + 2 * tokens * self.delay):
                answer = await stream.done
        finally:
            self.open -= 1
            stream.leave()
        if answer.tokens < tokens:
            raise BadAnswer(f"{answer.tokens} of {tokens} tokens came")
