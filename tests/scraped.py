"""What a management port tells, as Prometheus reads it."""

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


def samples(url: str) -> list[Sample]:
    """Return every sample of a port's /metrics."""
    response = httpx.get(f"{url}/metrics", timeout=10)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    return [sample for family in text_string_to_metric_families(response.text) for sample in family.samples]


def value(url: str, name: str, **labels: str) -> float:
    """Return the sum of the samples of this name that have these labels; 0 when there is none."""
    return sum(
        sample.value
        for sample in samples(url)
        if sample.name == name and labels.items() <= sample.labels.items()
    )
