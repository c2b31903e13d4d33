"""A viewer of a run whose next record is not in the log yet, over a store that answers without waiting."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from gatehouse.runs.events import Cursor, Record, Token, record
from gatehouse.runs.log.feed import Feed
from gatehouse.runs.viewing import Viewing


class Log:
    """A run's log in this process: no call of it lets others have the event loop."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    async def after(self, _run_id: str, cursor: Cursor) -> list[Record]:
        return [record for record in self.records if record.cursor > cursor]


@pytest.mark.timeout(20)
async def test_lets_others_have_the_event_loop_until_it_is_there() -> None:
    """As with a client in which nothing waits: the run itself could not go on."""

    async def flushed() -> None:
        pass

    log = Log()
    execution = SimpleNamespace(
        feed=Feed(10, Cursor(2, 0)), viewers=0, alone_since=0.0, run=SimpleNamespace(grace=30)
    )
    conductor: Any = SimpleNamespace(local={"run-1": execution}, writer=SimpleNamespace(flushed=flushed))
    viewing = Viewing(None, conductor, None)  # type: ignore[arg-type]  # neither is asked
    viewing.log = log  # type: ignore[assignment]
    view = viewing.view("run-1", Cursor(1, 7))

    async def first() -> list[Record]:
        return await anext(view)

    viewer = asyncio.create_task(first())
    await asyncio.sleep(0.05)  # never returns, if the viewer leaves the loop to nobody
    assert not viewer.done()
    restarted = record(Cursor(2, 1), Token(content="anew"))
    log.records.append(restarted)
    assert [one.cursor for one in await viewer] == [Cursor(2, 1)]
    await view.aclose()  # type: ignore[attr-defined]
