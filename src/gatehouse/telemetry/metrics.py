"""The metrics that Prometheus reads. docs/observability.md tells of each.

Labels are bounded: paths of the registry, names of the settings and of tools, route templates. Nothing that
a client chooses is one.
"""

from collections.abc import Mapping
from functools import cache
from typing import TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

OTHER = "other"  # what stands for a value that is not known beforehand

Metric = TypeVar("Metric", Counter, Gauge, Histogram)

SECONDS_OF_A_RUN = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 60, 120, 300, 600)
SECONDS_TO_A_TOKEN = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 20, 60)
TOKENS_A_SECOND = (1, 2, 5, 10, 20, 40, 60, 80, 100, 150, 200, 400, 1000)
SECONDS_OF_A_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
SECONDS_OF_LAG = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)


class Metrics:
    """The metrics of one application. With several workers each writes its own, and they are added up.

    `registry` is read by the management port of a single process; that of a supervisor reads the files.
    """

    def __init__(self) -> None:
        # else each counter has a second time series, of no use to any query
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        for about in (ProcessCollector, PlatformCollector, GCCollector):
            about(registry=self.registry)
        self._runs()
        self._tokens()
        self._streams()
        self._callers()
        self._models()
        self._server()

    def _runs(self) -> None:
        run = ("runnable", "model")
        self.runs_started = self._counter("runs_started", "Runs that were started.", run)
        self.runs_running = self._gauge("runs_running", "Attempts at runs that go on.", ("runnable",))
        self.runs_finished = self._counter("runs_finished", "Runs that have ended.", (*run, "status"))
        self.run_duration = self._histogram(
            "run_duration_seconds", "Time of a run's last attempt.", ("runnable",), SECONDS_OF_A_RUN
        )
        self.approvals_open = Gauge(
            "gatehouse_approvals_open", "Approvals that nobody has decided on.", ("kind",),
            registry=self.registry, multiprocess_mode="livemostrecent",
        )  # fmt: skip
        self.approvals = self._counter(
            "approvals", "Approvals that were opened, and what became of them.", ("runnable", "outcome")
        )
        self.restarts = self._counter("restarts", "Further attempts at runs whose process was gone.", run[:1])

    def _tokens(self) -> None:
        run = ("runnable", "model")
        self.first_token = self._histogram(
            "time_to_first_token_seconds", "From a run's start to its first token.", run, SECONDS_TO_A_TOKEN
        )
        self.tokens = self._counter("tokens", "Tokens that ended runs have used.", (*run, "direction"))
        self.token_rate = self._histogram(
            "tokens_per_second", "Output tokens of a run by its time since the first.", run, TOKENS_A_SECOND
        )
        self.tool_calls = self._counter("tool_calls", "Calls of tools.", ("tool", "status"))
        self.tools_repeated = self._counter(
            "tools_repeated", "Calls after a crash of tools that do not say whether they act.", ("tool",)
        )
        self.effects = self._counter("effects", "Calls of tools that act.", ("tool", "outcome"))

    def _streams(self) -> None:
        self.pending_events = self._gauge("run_log_pending_events", "Events that are not in Redis yet.")
        self.viewers = self._gauge("viewers", "Connections that follow a run.")
        self.resumes = self._counter("resumes", "Streams that were read on.", ("transport",))
        self.answer_cache = self._counter(
            "answer_cache", "Questions to entries whose answers are given again.", ("result",)
        )
        self.gaps = self._counter("gaps", "Gaps that viewers were told of.")

    def _callers(self) -> None:
        self.limits_hit = self._counter("limits_hit", "Requests refused by a limit.", ("limit",))
        self.auth_failures = self._counter("auth_failures", "Callers that were refused.", ("cause",))
        self.audit_rows_lost = self._counter("audit_rows_lost", "Rows of the audit log that were lost.")

    def _models(self) -> None:
        self.model_answers = self._counter(
            "model_answers", "Answers of models, by how they ended.", ("model", "finish_reason")
        )
        self.model_errors = self._counter("model_errors", "Calls of models that failed.", ("model", "cause"))
        self.circuit_open = Gauge(
            "gatehouse_model_circuit_open", "1: the model is not called now.", ("model",),
            registry=self.registry, multiprocess_mode="livemax",
        )  # fmt: skip

    def _server(self) -> None:
        self.loop_lag = self._histogram(
            "event_loop_lag_seconds", "How late the event loop is.", (), SECONDS_OF_LAG
        )
        self.requests = self._counter(
            "http_requests", "Requests that have ended.", ("method", "route", "status")
        )
        self.request_time = self._histogram(
            "http_request_seconds", "Time of a request, of a stream to its end.", ("route",),
            SECONDS_OF_A_REQUEST,
        )  # fmt: skip

    def effect(self, tool: str, outcome: str) -> None:
        """Count a call of a tool of the registry that acts."""
        self.effects.labels(tool, outcome).inc()

    def open_approvals(self, by_kind: Mapping[str, int]) -> None:
        """Show how many approvals are open, over all replicas."""
        for kind, number in by_kind.items():
            self.approvals_open.labels(kind).set(number)

    def _counter(self, name: str, says: str, labels: tuple[str, ...] = ()) -> Counter:
        """prometheus_client itself puts `_total` behind the name."""
        return found_at_once(Counter(f"gatehouse_{name}", says, labels, registry=self.registry))

    def _gauge(self, name: str, says: str, labels: tuple[str, ...] = ()) -> Gauge:
        # livesum: what goes on in a worker that has died goes on no longer
        name = f"gatehouse_{name}"
        return found_at_once(Gauge(name, says, labels, registry=self.registry, multiprocess_mode="livesum"))

    def _histogram(
        self, name: str, says: str, labels: tuple[str, ...], buckets: tuple[float, ...]
    ) -> Histogram:
        name = f"gatehouse_{name}"
        return found_at_once(Histogram(name, says, labels, registry=self.registry, buckets=buckets))


def found_at_once(metric: Metric) -> Metric:
    """Return a metric whose children are found by their labels without a lock, and texts made of them.

    It keeps each child in any case; a run looks for eight, and a request for two.
    """
    metric.labels = cache(metric.labels)  # type: ignore[method-assign]
    return metric
