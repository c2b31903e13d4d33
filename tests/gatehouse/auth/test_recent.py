import pytest

from gatehouse.identity import recent
from gatehouse.identity.recent import Recent


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, in seconds, as its only item."""
    now = [100.0]
    monkeypatch.setattr(recent, "monotonic", lambda: now[0])
    return now


class TestRecent:
    def test_remembers_until_the_time_is_over(self, clock: list[float]) -> None:
        kept: Recent[int] = Recent(4, 10)
        kept.put("a", 1, as_of=100)
        clock[0] = 103.9
        assert kept.get("a") == 1
        clock[0] = 104
        assert kept.get("a") is None

    def test_counts_from_when_the_value_was_true(self, clock: list[float]) -> None:
        kept: Recent[int] = Recent(4, 10)
        kept.put("a", 1, as_of=95)
        assert kept.get("a") is None

    def test_is_bounded_and_drops_the_oldest(self, clock: list[float]) -> None:
        kept: Recent[int] = Recent(4, 2)
        for key in ("a", "b", "a", "c"):
            kept.put(key, 1, as_of=100)
        assert [kept.get(key) for key in "abc"] == [1, None, 1]

    def test_drops_nothing_for_what_it_had(self, clock: list[float]) -> None:
        kept: Recent[int] = Recent(4, 2)
        for key in ("a", "b", "b"):
            kept.put(key, 1, as_of=100)
        assert [kept.get(key) for key in "ab"] == [1, 1]

    def test_forgets_what_it_is_told_to(self, clock: list[float]) -> None:
        kept: Recent[int] = Recent(4, 10)
        for value, key in enumerate("abc"):
            kept.put(key, value, as_of=100)
        kept.forget(lambda value: value == 1)
        assert [kept.get(key) for key in "abc"] == [0, None, 2]
