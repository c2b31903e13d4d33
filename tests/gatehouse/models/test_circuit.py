"""When a circuit lets calls through."""

from gatehouse.models.guarded.circuit import Circuit


class Steps:
    """A circuit with a clock that stands still until it is told, and what it said of itself."""

    def __init__(self, failures: int = 3) -> None:
        self.now = 1000.0
        self.said: list[bool] = []
        self.circuit = Circuit(failures, 10.0, window=60.0, changed=self.said.append, clock=lambda: self.now)

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            self.circuit.failed()


def opened() -> Steps:
    steps = Steps()
    steps.fail(3)
    return steps


class TestOpening:
    def test_it_is_closed_at_first(self) -> None:
        assert Steps().circuit.enter()
        assert Steps().circuit.seconds_to_wait() == 0.0

    def test_failures_in_a_row_open_it(self) -> None:
        steps = Steps()
        steps.fail(2)
        assert steps.circuit.enter()
        steps.fail()
        assert steps.circuit.open
        assert not steps.circuit.enter()
        assert steps.circuit.seconds_to_wait() == 10.0
        assert steps.said == [True]

    def test_a_success_between_begins_the_count_anew(self) -> None:
        steps = Steps()
        steps.fail(2)
        steps.circuit.succeeded()
        steps.fail(2)
        assert not steps.circuit.open
        assert steps.said == []

    def test_failures_long_ago_do_not_count(self) -> None:
        steps = Steps()
        steps.fail(2)
        steps.now += 61
        steps.fail(2)
        assert not steps.circuit.open

    def test_without_a_number_it_never_opens(self) -> None:
        steps = Steps(failures=0)
        steps.fail(100)
        assert steps.circuit.enter()

    def test_nobody_needs_to_listen(self) -> None:
        circuit = Circuit(1, 10.0)
        circuit.failed()
        assert circuit.open
        assert 0 < circuit.seconds_to_wait() <= 10.0


class TestTrying:
    def test_after_the_cooldown_one_call_is_let_through(self) -> None:
        steps = opened()
        steps.now += 10
        assert [steps.circuit.enter() for _ in range(3)] == [True, False, False]

    def test_its_success_closes_the_circuit(self) -> None:
        steps = opened()
        steps.now += 10
        assert steps.circuit.enter()
        steps.circuit.succeeded()
        assert [steps.circuit.enter() for _ in range(3)] == [True, True, True]
        assert steps.said == [True, False]

    def test_its_failure_begins_the_cooldown_anew(self) -> None:
        steps = opened()
        steps.now += 10
        assert steps.circuit.enter()
        steps.now += 4
        steps.fail()
        steps.now += 9
        assert not steps.circuit.enter()
        steps.now += 1
        assert steps.circuit.enter()
        assert steps.said == [True]

    def test_one_that_tells_nothing_is_followed_by_another(self) -> None:
        steps = opened()
        steps.now += 10
        assert steps.circuit.enter()  # and is cancelled by its caller
        steps.now += 10
        assert steps.circuit.enter()
