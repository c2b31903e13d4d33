"""What is told of a model's failures."""

from gatehouse.telemetry.metrics import Metrics
from gatehouse.telemetry.model_watch import MOST_CAUSES, ModelMetrics


def test_counts_failures_by_cause() -> None:
    metrics = Metrics()
    watch = ModelMetrics(metrics, "gpt-5-mini")
    for cause in ("timeout", "timeout", "rate-limited"):
        watch.failed(cause)
    read = metrics.registry.get_sample_value
    assert read("gatehouse_model_errors_total", {"model": "gpt-5-mini", "cause": "timeout"}) == 2
    assert read("gatehouse_model_errors_total", {"model": "gpt-5-mini", "cause": "rate-limited"}) == 1


def test_shows_the_circuit() -> None:
    metrics = Metrics()
    watch = ModelMetrics(metrics, "gpt-5-mini")

    def shown() -> float | None:
        return metrics.registry.get_sample_value("gatehouse_model_circuit_open", {"model": "gpt-5-mini"})

    assert shown() == 0
    watch.circuit(open=True)
    assert shown() == 1
    watch.circuit(open=False)
    assert shown() == 0


def test_bounds_the_causes() -> None:
    metrics = Metrics()
    watch = ModelMetrics(metrics, "m")
    for number in range(MOST_CAUSES + 10):
        watch.failed(f"cause {number}")
    read = metrics.registry.get_sample_value
    assert read("gatehouse_model_errors_total", {"model": "m", "cause": "other"}) == 10
