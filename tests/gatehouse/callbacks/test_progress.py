"""What the progress of an answer counts and times."""

from gatehouse.callbacks.progress import Progress


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def started() -> tuple[Progress, Clock]:
    clock = Clock()
    progress = Progress(clock)
    progress.start()
    return progress, clock


class TestProgress:
    def test_before_the_first_token_there_is_nothing(self) -> None:
        progress, clock = started()
        clock.now += 5
        assert (progress.tokens, progress.text_chars) == (0, 0)
        assert progress.seconds_to_first_token is None
        assert progress.tokens_per_second == 0.0

    def test_the_first_token_is_timed_from_the_start(self) -> None:
        progress, clock = started()
        clock.now += 0.25
        progress.add("Hello")
        assert progress.seconds_to_first_token == 0.25
        assert progress.tokens_per_second == 0.0

    def test_the_rate_is_that_after_the_first_token(self) -> None:
        progress, clock = started()
        clock.now += 3  # thinking is not speaking
        for word in ("one", "two", "three", "four", "five"):
            progress.add(word)
            clock.now += 0.5
        assert progress.tokens == 5
        assert progress.text_chars == len("onetwothreefourfive")
        assert progress.tokens_per_second == 2.0

    def test_the_rate_stays_when_the_answer_is_over(self) -> None:
        progress, clock = started()
        progress.add("a")
        clock.now += 1
        progress.add("b", tokens=10)
        clock.now += 60
        assert progress.tokens_per_second == 10.0

    def test_without_a_start_the_first_token_starts_it(self) -> None:
        progress = Progress(Clock())
        progress.add("a")
        assert progress.seconds_to_first_token == 0.0

    def test_a_start_begins_anew(self) -> None:
        progress, _ = started()
        progress.add("a")
        progress.start()
        assert progress.tokens == 0
        assert progress.seconds_to_first_token is None

    def test_a_first_chunk_of_several_tokens_is_before_the_rate(self) -> None:
        progress, clock = started()
        progress.add("three tokens at", tokens=3)
        clock.now += 2
        progress.add("once", tokens=1)
        assert progress.tokens == 4
        assert progress.tokens_per_second == 0.5

    def test_the_models_own_count_replaces_the_chunks(self) -> None:
        progress, clock = started()
        progress.add("several words in one chunk")
        clock.now += 2
        progress.add("and more")
        progress.settle(9)
        assert progress.tokens == 9
        assert progress.tokens_per_second == 4.0

    def test_a_real_clock_is_the_default(self) -> None:
        progress = Progress()
        progress.start()
        progress.add("a")
        assert (progress.seconds_to_first_token or 0.0) >= 0.0
