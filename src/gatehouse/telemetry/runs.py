"""What operators see of runs: metrics, spans, and the fields that every log line of a run has."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from langsmith._internal._context import _TRACING_ENABLED as LANGSMITH
from opentelemetry.trace import StatusCode

from gatehouse.runs.observing import CallObserver, Timing, Transport
from gatehouse.runs.records import RunRecord
from gatehouse.telemetry.calls import Calls, Tools
from gatehouse.telemetry.logs import logged_with
from gatehouse.telemetry.metrics import Metrics
from gatehouse.telemetry.pseudonyms import Pseudonyms
from gatehouse.telemetry.tracing import Tracing, current_span, trace_id_of, traceparent


class RunTelemetry:
    """Implements `gatehouse.runs.observing.RunObserver`."""

    def __init__(
        self,
        metrics: Metrics,
        tracing: Tracing,
        pseudonyms: Pseudonyms,
        *,
        model: str,
        tools: Tools,
        langsmith: bool,
    ) -> None:
        """`model` is the chat model's name, `tools` are those of the registry.

        Unless `langsmith`, LangChain sends nothing there, whatever its own environment variables say.
        """
        self._metrics = metrics
        self._tracing = tracing
        self._pseudonyms = pseudonyms
        self._model = model
        self._tools = tools
        self._langsmith = langsmith

    def trace(self) -> str:
        return traceparent() if self._tracing.on else ""

    def started(self, run: RunRecord) -> None:
        self._metrics.runs_started.labels(run.runnable, self._model).inc()

    def restarted(self, run: RunRecord) -> None:
        self._metrics.restarts.labels(run.runnable).inc()

    @contextmanager
    def attempt(self, run: RunRecord) -> Iterator[CallObserver]:
        """Surround an attempt. Log lines in it say of which run, and for whom: also an orphan's."""
        running = self._metrics.runs_running.labels(run.runnable)
        fields = self._pseudonyms.fields(run.principal)
        running.inc()
        try:
            with (
                self._tracing.run(run, fields["user"]) as span,
                logged_with(run_id=run.id, trace_id=trace_id_of(span), **fields),
                nullcontext() if self._langsmith else untold(),
            ):
                calls = Calls(self._metrics, self._tracing.tracer, self._model, self._tools)
                try:
                    yield calls
                finally:
                    calls.close()
        finally:
            running.dec()

    def ended(self, ended: RunRecord, timing: Timing) -> None:
        runnable, metrics = ended.runnable, self._metrics
        run = (runnable, self._model)
        metrics.runs_finished.labels(*run, ended.state).inc()
        metrics.run_duration.labels(runnable).observe(timing.total)
        metrics.tokens.labels(*run, "input").inc(ended.usage.input_tokens)
        metrics.tokens.labels(*run, "output").inc(ended.usage.output_tokens)
        if timing.first_token is not None:
            metrics.first_token.labels(*run).observe(timing.first_token)
            speaking = timing.total - timing.first_token
            if speaking > 0 and ended.usage.output_tokens:
                metrics.token_rate.labels(*run).observe(ended.usage.output_tokens / speaking)
        self._write_span(ended)

    def resumed(self, transport: Transport) -> None:
        self._metrics.resumes.labels(transport).inc()

    def answered_again(self, *, hit: bool) -> None:
        self._metrics.answer_cache.labels("hit" if hit else "miss").inc()

    def gap(self) -> None:
        self._metrics.gaps.inc()

    def _write_span(self, ended: RunRecord) -> None:
        span = current_span()
        if not span.is_recording():
            return
        span.set_attribute("gatehouse.run.status", ended.state)
        if ended.finish_reason:
            span.set_attribute("gen_ai.response.finish_reasons", [ended.finish_reason])
        span.set_attribute("gen_ai.usage.input_tokens", ended.usage.input_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", ended.usage.output_tokens)
        if ended.problem is not None:
            span.set_attribute("error.type", str(ended.problem["type"]).rpartition(":")[2])
            span.set_status(StatusCode.ERROR)


@contextmanager
def untold() -> Iterator[None]:
    """Have LangChain tell LangSmith nothing. Its own `tracing_context` looks for a parent run first."""
    token = LANGSMITH.set(False)
    try:
        yield
    finally:
        LANGSMITH.reset(token)
