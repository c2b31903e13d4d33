"""How fast an answer comes. Apart from the handlers, so that a terminal needs no LangChain for it."""

import time
from collections.abc import Callable


class Progress:
    """Counts the tokens of one answer and times them, in seconds.

    The rate is that of the tokens after the first, over the time since the first: what the model did before
    it began to speak is `seconds_to_first_token`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started: float | None = None
        self._first: float | None = None
        self._last = 0.0
        self._first_tokens = 0
        self._tokens = 0
        self._text_chars = 0

    def start(self) -> None:
        """Begin to count, from nothing: call it when the question is sent."""
        self._started = self._clock()
        self._first = None
        self._tokens = self._text_chars = 0

    def add(self, text: str, tokens: int = 1) -> None:
        """Count text that came, of so many tokens. Starts the clock if nobody has."""
        now = self._clock()
        if self._started is None:
            self._started = now
        if self._first is None:
            self._first, self._first_tokens = now, tokens
        self._last = now
        self._tokens += tokens
        self._text_chars += len(text)

    def settle(self, tokens: int) -> None:
        """Set the number of tokens to what the model says it was: a chunk may have held several."""
        self._tokens = tokens

    @property
    def tokens(self) -> int:
        return self._tokens

    @property
    def text_chars(self) -> int:
        return self._text_chars

    @property
    def seconds_to_first_token(self) -> float | None:
        """Seconds from the start to the first token; None before it."""
        if self._started is None or self._first is None:
            return None
        return self._first - self._started

    @property
    def tokens_per_second(self) -> float:
        """Tokens a second up to the newest one; 0.0 before the second."""
        if self._first is None or self._last <= self._first:
            return 0.0
        return max(0, self._tokens - self._first_tokens) / (self._last - self._first)
