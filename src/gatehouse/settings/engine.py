"""What the engine keeps to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Times in seconds, sizes in records. See the settings of the same names."""

    lease: float = 5
    keep: float = 3600
    log_length: int = 10_000
    log_age: float = 3600
    feed_size: int = 1000
    deadline: float = 300
    max_attempts: int = 2
    recursion_limit: int = 25
