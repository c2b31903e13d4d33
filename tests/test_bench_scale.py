"""What more streams need, reckoned from what was measured: by hand for round numbers."""

from bench.scale.model import Costs, Load, Needs, limits
from bench.scale.report import markdown, size_of

COSTS = Costs(
    process_us_a_token=90.0,
    process_us_a_run=3000.0,
    process_bytes_a_stream=50_000.0,
    redis_us_a_token=9.0,
    redis_us_a_run=300.0,
    redis_bytes_a_token=50.0,
    redis_bytes_a_run=5_000.0,
    redis_traffic_a_token=200.0,
    redis_commands_a_stream_second=0.2,
    database_us_a_run=900.0,
    database_transactions_a_run=3.0,
    database_log_bytes_a_run=3_000.0,
    database_bytes_a_run=2_000.0,
    client_bytes_a_token=70.0,
)


def test_needs_of_a_thousand_streams() -> None:
    needs = Needs(COSTS, Load(1_000, pace=10.0, tokens=100, log_seconds=60.0))
    assert (needs.load.tokens_a_second, needs.load.runs_a_second) == (10_000.0, 100.0)
    assert needs.processes() == 2  # 0.9 and 0.3 cores, of which 0.6 may be planned with
    assert needs.process_memory() == 25e6
    assert needs.redis_cores() == 0.12
    assert needs.redis_memory() == 60 * 100 * 10_000 + 1_000 * 7_500
    assert needs.redis_primaries() == 1
    assert (needs.redis_traffic(), needs.client_traffic()) == (2e6, 7e5)
    assert needs.database_cores() == 0.09
    assert (needs.database_transactions(), needs.database_log()) == (300.0, 3e5)
    assert needs.database_growth() == 100 * 2_000 * 86_400
    assert needs.connections() == 60


def test_what_breaks_first_comes_first_and_does_break_there() -> None:
    found = limits(COSTS)
    assert found[0].what == "a process's core"
    assert [limit.streams for limit in found] == sorted(limit.streams for limit in found)
    assert Needs(COSTS, Load(found[0].streams)).processes() == 2
    assert Needs(COSTS, Load(int(found[0].streams * 0.98))).processes() == 1


def test_the_report_has_a_column_for_each_size() -> None:
    facts = {"date": "today", "machine": "this", "versions": {"python": "3"}}
    text = markdown(COSTS, [], facts, "measured so", Load(0))
    [row] = [line for line in text.splitlines() if line.startswith("| tokens a second |")]
    assert row == "| tokens a second | 10,000 | 100,000 | 500,000 | 10,000,000 |"


def test_sizes_are_said_as_a_person_would() -> None:
    assert [size_of(number) for number in (12, 1_500, 36_900_000_000, 2.5e12)] == [
        "12 B", "1.5 kB", "36.9 GB", "2.5 TB",
    ]  # fmt: skip
