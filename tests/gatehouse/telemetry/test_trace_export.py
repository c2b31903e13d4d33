"""How the last spans leave a process that ends."""

import asyncio
import threading
import time

import pytest
from opentelemetry.sdk.trace import TracerProvider

from gatehouse.telemetry import trace_export
from gatehouse.telemetry.trace_export import closed


class SlowProvider(TracerProvider):
    """A provider whose collector does not answer until it is let go."""

    def __init__(self) -> None:
        super().__init__(shutdown_on_exit=False)
        self.let_go = threading.Event()
        self.thread: threading.Thread | None = None

    def shutdown(self) -> None:
        """Take as long as the collector does."""
        self.thread = threading.current_thread()
        self.let_go.wait(10)
        super().shutdown()


class TestClosing:
    def test_waits_for_the_last_spans(self) -> None:
        async def close() -> float:
            provider, began = SlowProvider(), time.monotonic()
            asyncio.get_running_loop().call_later(0.2, provider.let_go.set)
            await closed(provider)
            return time.monotonic() - began

        assert 0.2 <= asyncio.run(close()) < trace_export.CLOSE_SECONDS

    def test_does_not_wait_for_a_collector_that_hangs_which_may_answer_after_the_loop(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failures: list[threading.ExceptHookArgs] = []
        monkeypatch.setattr(threading, "excepthook", failures.append)
        monkeypatch.setattr(trace_export, "CLOSE_SECONDS", 0.05)
        provider = SlowProvider()
        asyncio.run(closed(provider))
        assert provider.thread is not None
        assert provider.thread.is_alive()
        provider.let_go.set()
        provider.thread.join(10)
        assert not provider.thread.is_alive()
        assert failures == []
