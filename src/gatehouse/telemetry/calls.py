"""The calls of models and tools that one attempt makes: a span for each, and the count of the tools'."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

import structlog
from opentelemetry.context import Context, get_current
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer

from gatehouse.runs.observing import ModelUse
from gatehouse.telemetry.metrics import OTHER, Metrics

log = structlog.get_logger(__name__)

ENDS = frozenset({"stop", "length", "refusal"})  # other words are the providers' own
CUT_OFF = "cut_off"  # the call had not ended when the attempt did


@dataclass(frozen=True, slots=True)
class Tools:
    """The names of the registry's tools, and of those among them that say that they act."""

    names: Collection[str] = frozenset()
    acting: Collection[str] = frozenset()


class Calls:
    """A CallObserver. Its spans are children of the one that is current when it is made."""

    def __init__(self, metrics: Metrics, tracer: Tracer, model: str, tools: Tools) -> None:
        """`model` is the name of one that does not say its own.

        `tools` are those of the registry: what else is called is counted as `other`.
        """
        self._metrics = metrics
        self._tracer = tracer
        self._model = model
        self._tools = tools.names
        self._acting = tools.acting
        self._context: Context = get_current()
        self._spans: dict[UUID, Span] = {}
        self._names: dict[UUID, str] = {}

    def model_began(self, call: UUID, metadata: Mapping[str, object]) -> None:
        model = str(metadata.get("ls_model_name") or self._model)
        self._spans[call] = self._tracer.start_span(
            f"chat {model}",
            self._context,
            SpanKind.CLIENT,
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": str(metadata.get("ls_provider") or "unknown"),
                "gen_ai.request.model": model,
            },
        )

    def model_ended(self, call: UUID, use: ModelUse) -> None:
        if use.finish_reason:
            label = use.finish_reason if use.finish_reason in ENDS else OTHER
            self._metrics.model_answers.labels(self._model, label).inc()
        span = self._spans.pop(call, None)
        if span is None:
            return
        if use.model:
            span.set_attribute("gen_ai.response.model", use.model)
        if use.finish_reason:
            span.set_attribute("gen_ai.response.finish_reasons", [use.finish_reason])
        span.set_attribute("gen_ai.usage.input_tokens", use.used.input_tokens)
        span.set_attribute("gen_ai.usage.output_tokens", use.used.output_tokens)
        end(span, use.error)

    def tool_began(self, call: UUID, tool: str, call_id: str) -> None:
        self._names[call] = tool
        attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
        if call_id:
            attributes["gen_ai.tool.call.id"] = call_id
        self._spans[call] = self._tracer.start_span(
            f"execute_tool {tool}", self._context, SpanKind.INTERNAL, attributes
        )

    def tool_repeated(self, tool: str) -> None:
        """Count what is called once more after a crash, and says nowhere that it acts."""
        if tool in self._acting:
            return
        log.warning("a tool is called again that does not say whether it acts", tool=tool)
        self._metrics.tools_repeated.labels(tool if tool in self._tools else OTHER).inc()

    def tool_ended(self, call: UUID, error: str) -> None:
        tool = self._names.pop(call, OTHER)
        label = tool if tool in self._tools else OTHER
        self._metrics.tool_calls.labels(label, "error" if error else "ok").inc()
        if span := self._spans.pop(call, None):
            end(span, error)

    def close(self) -> None:
        """End the spans of calls that the end of the attempt cut off."""
        for span in self._spans.values():
            end(span, CUT_OFF)
        self._spans.clear()


def end(span: Span, error: str) -> None:
    """End the span; `error` names the kind of a failure."""
    if error:
        span.set_attribute("error.type", error)
        span.set_status(StatusCode.ERROR)
    span.end()
