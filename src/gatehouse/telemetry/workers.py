"""The metrics of several workers, added up by their supervisor: they write files, it reads them."""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from gatehouse.settings import Settings
from gatehouse.telemetry.management import management_port

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client reads it in each worker, when it is imported
WRITER = re.compile(r".*_(\d+)\.db")


@contextmanager
def metrics_added_up(settings: Settings) -> Iterator[None]:
    """Have the workers that are started meanwhile keep their figures in a folder, and serve their sum.

    Does nothing without a management port. Raises CannotListen.
    """
    if settings.management_port is None:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="gatehouse-metrics-") as folder:
        registry = CollectorRegistry()
        registry.register(WorkerMetrics(Path(folder)))
        with management_port(
            settings.management_host, settings.management_port, registry, alive=lambda: True
        ):
            os.environ[FOLDER] = folder
            try:
                yield
            finally:
                del os.environ[FOLDER]


class WorkerMetrics(Collector):
    """Reads the workers' files. What a dead worker counted is kept; what went on in it is forgotten."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def describe(self) -> Iterable[Metric]:
        """Tell nothing beforehand: the registry would else collect once, to know the names."""
        return []

    def collect(self) -> Iterable[Metric]:
        living = []
        for worker in self._writers():
            if is_alive(worker):
                living.append(worker)
            else:
                mark_process_dead(worker, str(self._folder))  # type: ignore[no-untyped-call]
        files: Collector = MultiProcessCollector(CollectorRegistry(), path=str(self._folder))  # type: ignore[no-untyped-call]
        yield from files.collect()
        yield from processes(living)

    def _writers(self) -> set[int]:
        """Return the process ids of those that have written here."""
        return {int(match[1]) for file in self._folder.iterdir() if (match := WRITER.fullmatch(file.name))}


def is_alive(process_id: int) -> bool:
    """Tell whether there is such a process."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    return True


def processes(process_ids: Iterable[int]) -> list[Metric]:
    """Return what is told of each process (memory, CPU seconds, descriptors), added up; the latest start."""
    whole: dict[str, Metric] = {}
    for process_id in process_ids:
        for metric in ProcessCollector(pid=partial(int, process_id), registry=None).collect():
            value = metric.samples[0].value
            if metric.name in whole:
                before = whole[metric.name].samples[0].value
                value = max(before, value) if metric.name.endswith("start_time_seconds") else before + value
            kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
            whole[metric.name] = kind(metric.name, metric.documentation, value)
    return list(whole.values())
