"""What a span says of how its request ended."""

import pytest
from opentelemetry.sdk.trace import Span, TracerProvider

from gatehouse.telemetry.tracing import answered


@pytest.mark.parametrize(
    ("status", "failed"), [(0, True), (101, False), (200, False), (499, False), (500, True), (503, True)]
)
def test_a_request_without_an_answer_has_failed_as_one_of_a_server_s_fault(status: int, failed: bool) -> None:
    span = TracerProvider(shutdown_on_exit=False).get_tracer("test").start_span("GET")
    answered(span, "GET", "/api/me", status)
    assert isinstance(span, Span)
    assert span.status.is_ok is not failed
    assert (span.name, span.attributes or {}) == (
        "GET /api/me", {"http.route": "/api/me", "http.response.status_code": status}
    )  # fmt: skip
