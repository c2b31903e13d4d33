"""Runnables whose pace and failures a test decides."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.runnables import Runnable, RunnableConfig

END = object()


class Words(Runnable[dict[str, Any], str]):
    """Yields `w0 `, `w1 `, … as many as `n`, with `pause` seconds before each."""

    def invoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **_: Any) -> str:
        raise NotImplementedError

    async def astream(
        self,
        input: dict[str, Any],
        config: RunnableConfig | None = None,
        **_: Any,
    ) -> AsyncIterator[str]:
        for i in range(input["n"]):
            if "pause" in input:
                await asyncio.sleep(input["pause"])
            yield f"w{i} "


class Told(Runnable[dict[str, Any], str]):
    """Yields what a test tells it to, attempt by attempt, and raises the exceptions among it."""

    def __init__(self) -> None:
        self.configs: list[RunnableConfig] = []
        self.inputs: list[dict[str, Any]] = []
        self.closed: list[tuple[str, int]] = []
        self._told: defaultdict[tuple[str, int], asyncio.Queue[Any]] = defaultdict(asyncio.Queue)

    def tell(self, run_id: str, *items: Any, attempt: int = 1) -> None:
        for item in items:
            self._told[run_id, attempt].put_nowait(item)

    def end(self, run_id: str, attempt: int = 1) -> None:
        self.tell(run_id, END, attempt=attempt)

    def invoke(self, input: dict[str, Any], config: RunnableConfig | None = None, **_: Any) -> str:
        raise NotImplementedError

    async def astream(
        self,
        input: dict[str, Any],
        config: RunnableConfig | None = None,
        **_: Any,
    ) -> AsyncIterator[str]:
        assert config is not None
        self.configs.append(config)
        self.inputs.append(input)
        key = config["configurable"]["run_id"], config["configurable"]["attempt"]
        try:
            while (item := await self._told[key].get()) is not END:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            self.closed.append(key)
