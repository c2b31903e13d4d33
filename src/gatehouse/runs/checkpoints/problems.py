"""Why a database cannot keep checkpoints now."""


class CheckpointsBehind(Exception):
    """PostgreSQL has no tables for checkpoints, or those of an older release."""

    def __init__(self) -> None:
        super().__init__("its tables for an agent's checkpoints are not up to date: run gatehouse db upgrade")


class NotPrepared(Exception):
    """No connection works: what stands before PostgreSQL may not bear statements that are prepared."""
