"""A model that has gone silent is given up; whoever ends the wait for it otherwise is obeyed."""

import asyncio

import pytest

from gatehouse.models.errors import ModelTimedOut
from gatehouse.models.guarded.silence import Silence


class Cancelled(asyncio.Future[None]):
    """What a task waits for that somebody else cancels in the moment in which the silence does."""

    def cancel(self, msg: object = None) -> bool:
        if not self.done():
            for task in asyncio.all_tasks():
                if task.get_name() == "asks":
                    asyncio.get_running_loop().call_soon(task.cancel)
        return super().cancel(msg)


async def asks(waits_for: "asyncio.Future[None]") -> None:
    with Silence(seconds=None, left=0.0) as silence:
        silence.wait()
        try:
            await waits_for
        except asyncio.CancelledError as error:
            raise silence.reason(error) from None


async def test_a_silence_is_the_model_s_failure() -> None:
    asking = asyncio.create_task(asks(asyncio.Future()))
    with pytest.raises(ModelTimedOut):
        await asking
    assert asking.cancelling() == 0


async def test_a_cancellation_beside_it_is_a_cancellation() -> None:
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(asks(Cancelled()), name="asks")
