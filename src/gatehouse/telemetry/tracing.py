"""OpenTelemetry traces: whether there are any, where they go, and the span of a request and of a run.

Names and attributes are those of OpenTelemetry's semantic conventions (HTTP, GenAI). No text of a prompt or
an answer, no query, header or exception's message becomes an attribute.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from importlib.metadata import version

from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    NoOpTracer,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    format_trace_id,
    get_current_span,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes
from starlette.types import Scope

from gatehouse.runs.records import RunRecord
from gatehouse.settings import Settings
from gatehouse.telemetry.redaction import redact

SERVER_ERROR = 500
PROPAGATOR = TraceContextTextMapPropagator()


class Tracing:
    """Makes spans while it is open and the settings ask for them; else none, at next to no cost."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.tracer: Tracer = NoOpTracer()
        self.on = False

    @asynccontextmanager
    async def going_on(self) -> AsyncIterator[None]:
        """Send spans to the collector while the context is open, in a thread of the SDK's."""
        if not self._settings.traces:
            yield
            return
        from gatehouse.telemetry.trace_export import closed, provider_of

        provider = await asyncio.to_thread(provider_of, self._settings)
        self.tracer, self.on = provider.get_tracer("gatehouse", version("gatehouse-server")), True
        try:
            yield
        finally:
            self.tracer, self.on = NoOpTracer(), False
            await closed(provider)

    def request(self, scope: Scope) -> AbstractContextManager[Span]:
        """Surround a request with its span, which goes on the caller's trace if it names one."""
        if not self.on:
            return nullcontext(INVALID_SPAN)
        method = scope.get("method", "WEBSOCKET")
        parent = PROPAGATOR.extract({
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in (b"traceparent", b"tracestate")
        })  # fmt: skip
        attributes: Attributes = {
            "http.request.method": method,
            "url.path": str(redact(scope["path"]))[:500],
            "url.scheme": scope.get("scheme", "http"),
        }
        return self._span(method, SpanKind.SERVER, parent, attributes)

    def run(self, run: RunRecord, user: str) -> AbstractContextManager[Span]:
        """Surround an attempt with its span; another process's goes on the trace of the first."""
        if not self.on:
            return nullcontext(INVALID_SPAN)
        parent = PROPAGATOR.extract({"traceparent": run.trace}) if run.attempt > 1 else None
        name = run.runnable.removeprefix("/")
        attributes: Attributes = {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": name,
            "gatehouse.run.id": run.id,
            "gatehouse.run.attempt": run.attempt,
            "gatehouse.tenant": run.principal.tenant_id,
            "enduser.pseudo.id": user,
        }
        return self._span(f"invoke_workflow {name}", SpanKind.INTERNAL, parent, attributes)

    def _span(
        self, name: str, kind: SpanKind, parent: Context | None, attributes: Attributes
    ) -> AbstractContextManager[Span]:
        # an exception's own text may hold a secret: it is not recorded
        return self.tracer.start_as_current_span(
            name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
        )


def answered(span: Span, method: str, route: str, status: int) -> None:
    """Write into a request's span how it was answered."""
    if not span.is_recording():
        return
    span.update_name(f"{method} {route}")
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= SERVER_ERROR or not status:
        span.set_status(StatusCode.ERROR)


def traceparent() -> str:
    """Return the W3C traceparent of the current span, empty when there is none."""
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier)
    return carrier.get("traceparent", "")


def trace_id_of(span: Span) -> str:
    """Return the id of the span's trace in hex, empty for a span that is none."""
    context = span.get_span_context()
    return format_trace_id(context.trace_id) if context.is_valid else ""


def current_span() -> Span:
    return get_current_span()
