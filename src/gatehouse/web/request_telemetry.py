"""What operators see of requests: metrics, a span each, and who was refused what."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry.trace import Span
from starlette.types import Scope

from gatehouse.audit.entry import AuditEntry, once_a_minute
from gatehouse.identity.principal import Principal
from gatehouse.limits.refusal import LimitReached, policy_name
from gatehouse.problems.errors import ApiError, Refused
from gatehouse.telemetry.metrics import OTHER, Metrics
from gatehouse.telemetry.tracing import Tracing, answered, trace_id_of
from gatehouse.web.audited import entry_of
from gatehouse.web.request_state import state_of

if TYPE_CHECKING:
    from gatehouse.services import Services

METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "WEBSOCKET"})


class RequestTelemetry:
    """Implements `gatehouse.web.middleware.RequestWatch`."""

    def __init__(self, metrics: Metrics, tracing: Tracing) -> None:
        self._metrics = metrics
        self._tracing = tracing

    @contextmanager
    def request(self, scope: Scope) -> Iterator["MeteredRequest"]:
        with self._tracing.request(scope) as span:
            yield MeteredRequest(self._metrics, scope, span)


class MeteredRequest:
    """Implements `gatehouse.web.middleware.SeenRequest`."""

    def __init__(self, metrics: Metrics, scope: Scope, span: Span) -> None:
        self._metrics = metrics
        self._scope = scope
        self._span = span
        self.trace_id = trace_id_of(span)

    def ended(self, status: int, seconds: float) -> None:
        """Count the request. One that was refused before a route was found is of the route `other`."""
        method = self._scope.get("method", "WEBSOCKET")
        method, route = method if method in METHODS else OTHER, route_of(self._scope)
        self._metrics.requests.labels(method, route, str(status)).inc()
        self._metrics.request_time.labels(route).observe(seconds)
        answered(self._span, method, route, status)

    def problem(self, error: ApiError) -> None:
        """Count a refusal, and enter it in the audit log when it is known who was refused."""
        if isinstance(error, LimitReached):
            limit = policy_name(error.limit, error.whose)
            self._metrics.limits_hit.labels(limit).inc()
            self._note(self._limit_hit(limit))
        elif isinstance(error, Refused):
            self._metrics.auth_failures.labels(error.cause).inc()
            if principal := error.principal or self._principal:
                self._note(self._refused(error, principal))

    @property
    def _principal(self) -> Principal | None:
        return state_of(self._scope).principal

    def _limit_hit(self, limit: str) -> AuditEntry:
        whose = self._principal
        address = "" if whose else (self._scope.get("client") or ("",))[0]
        same = once_a_minute("limit", limit, address, *named(whose))
        return entry_of(self._scope, "limit.hit", "refused", whose, limit, id=same)

    def _refused(self, error: Refused, principal: Principal) -> AuditEntry:
        route = route_of(self._scope)
        same = once_a_minute("refused", error.kind, route, *named(principal))
        details = {"problem": error.kind, "scope": error.extra.get("scope")}
        return entry_of(self._scope, "access.refused", "refused", principal, route, id=same, **details)

    def _note(self, entry: AuditEntry) -> None:
        services: Services = self._scope["state"]["services"]
        services.audit.note(entry)


def route_of(scope: Scope) -> str:
    """Return the template of the route that was found, such as `/api/runs/{run_id}`; else `other`."""
    return str(getattr(scope.get("route"), "path", OTHER))


def named(principal: Principal | None) -> tuple[str, str]:
    return (principal.tenant_id, principal.user_id) if principal else ("", "")
