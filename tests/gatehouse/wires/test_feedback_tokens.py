"""Tokens for feedback, which are asked for as long as a stream is sent, and no longer."""

import asyncio
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from gatehouse.wires.langserve.feedback_tokens import promised


async def test_are_not_waited_for_when_the_stream_was_left() -> None:
    async def never(_run_id: object) -> None:
        await asyncio.Event().wait()

    tokens: Any = SimpleNamespace(of=never)
    with promised(tokens, uuid4()) as told:
        asking = told.task
        assert asking is not None
        await asyncio.sleep(0)
        assert told.frame() == b""
    await asyncio.wait({asking}, timeout=5)
    assert asking.cancelled()
