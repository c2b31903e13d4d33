"""What is measured of a run that has ended."""

import pytest
from prometheus_client import CollectorRegistry

from gatehouse.identity.principal import Principal
from gatehouse.runs.events import Usage
from gatehouse.runs.observing import Timing
from gatehouse.runs.records import RunRecord
from gatehouse.settings import Settings
from gatehouse.telemetry.calls import Tools
from gatehouse.telemetry.metrics import Metrics
from gatehouse.telemetry.pseudonyms import Pseudonyms
from gatehouse.telemetry.runs import RunTelemetry
from gatehouse.telemetry.tracing import Tracing

ALICE = Principal("acme", "alice", "Alice", frozenset(), "jwt", "1")


def measured(timing: Timing, output_tokens: int) -> CollectorRegistry:
    metrics = Metrics()
    telemetry = RunTelemetry(
        metrics, Tracing(Settings(_env_file=None)), Pseudonyms(b"p" * 32), model="m", tools=Tools(),
        langsmith=False,
    )  # fmt: skip
    used = Usage(1, output_tokens, 1 + output_tokens)
    telemetry.ended(RunRecord("1", ALICE, "/chat", {}, None, 0.0, 0.0, 30, usage=used), timing)
    return metrics.registry


def test_tokens_a_second_are_of_the_time_since_the_first() -> None:
    registry = measured(Timing(total=3.0, first_token=1.0), 10)
    run = {"runnable": "/chat", "model": "m"}
    assert registry.get_sample_value("gatehouse_tokens_per_second_sum", run) == 5.0
    assert registry.get_sample_value("gatehouse_time_to_first_token_seconds_sum", run) == 1.0
    assert registry.get_sample_value("gatehouse_run_duration_seconds_sum", {"runnable": "/chat"}) == 3.0


@pytest.mark.parametrize(
    ("timing", "tokens"), [(Timing(3.0, None), 10), (Timing(1.0, 1.0), 10), (Timing(3.0, 1.0), 0)]
)
def test_there_are_none_where_none_can_be_told(timing: Timing, tokens: int) -> None:
    run = {"runnable": "/chat", "model": "m"}
    assert measured(timing, tokens).get_sample_value("gatehouse_tokens_per_second_count", run) is None
