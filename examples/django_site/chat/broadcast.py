"""One answer for many tabs: few messages for the channel layer, which a tab may miss or see twice."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from chat.gatehouse import Event
from chat.problems import Problem

BATCH_SECONDS = 0.05  # a token a message would fill a slow tab's channel in seconds, and Redis for nothing


async def batches(events: AsyncGenerator[Event]) -> AsyncGenerator[list[Event]]:
    """Yield what has come: the first event at once, then lists, 20 times a second at most. Raises Problem."""
    come: asyncio.Queue[Event | None] = asyncio.Queue()
    reading = asyncio.create_task(read(events, come))
    try:
        ended = False
        while not ended:
            batch = [await come.get()]
            while not come.empty():
                batch.append(come.get_nowait())
            ended = batch[-1] is None
            yield [event for event in batch if event is not None]
            await asyncio.sleep(BATCH_SECONDS)
        await reading
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError, Problem):
            await reading


async def read(events: AsyncGenerator[Event], come: asyncio.Queue[Event | None]) -> None:
    try:
        async with aclosing(events):
            async for event in events:
                come.put_nowait(event)
    finally:
        come.put_nowait(None)


class Placed:
    """Joins tokens and says where in the answer they belong.

    `offset` counts as JavaScript's strings do. A tab keeps its text up to there and appends: so it may see a
    token twice, and knows when it has missed some; `complete` then brings the whole answer.
    """

    def __init__(self) -> None:
        self.length = 0

    def joined(self, batch: list[Event]) -> list[Event]:
        """Return the batch's events with tokens that follow one another as one."""
        joined: list[Event] = []
        for event in batch:
            if event["type"] == "token" and joined and joined[-1]["type"] == "token":
                joined[-1]["content"] += event["content"]
                self.length += utf16_length(event["content"])
            else:
                joined.append(self._placed(event))
        return joined

    def _placed(self, event: Event) -> Event:
        match event["type"]:
            case "token":
                placed = {**event, "offset": self.length}
                self.length += utf16_length(event["content"])
                return placed
            case "restart":
                self.length = 0
            case "gap":
                self.length = utf16_length(event["text"])
        return event


def utf16_length(text: str) -> int:
    """Return the length that JavaScript gives the text: an emoji is two."""
    return len(text.encode("utf-16-le")) // 2
