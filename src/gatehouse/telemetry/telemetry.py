"""Metrics and traces of one application, made before it is opened: its layers need them too."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gatehouse.runs.engine import RunEngine
from gatehouse.settings import Settings
from gatehouse.telemetry.loop_lag import LoopWatch
from gatehouse.telemetry.management import management_port
from gatehouse.telemetry.metrics import Metrics
from gatehouse.telemetry.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Telemetry:
    """What an application counts and traces with."""

    settings: Settings
    metrics: Metrics
    tracing: Tracing

    @classmethod
    def of(cls, settings: Settings) -> "Telemetry":
        return cls(settings, Metrics(), Tracing(settings))

    @asynccontextmanager
    async def watching(self, runs: RunEngine) -> AsyncIterator[None]:
        """Sample the event loop, and serve the management port if there is one. Raises CannotListen."""
        loop, settings = LoopWatch(self.metrics), self.settings
        with management_port(
            settings.management_host, settings.management_port, self.metrics.registry, loop.alive
        ):
            async with loop.going_on(lambda: runs.conductor.writer.pending, lambda: runs.viewers):
                yield
