"""What operators are told of a chat model's failures."""

from gatehouse.telemetry.metrics import OTHER, Metrics

MOST_CAUSES = 32  # a cause comes from the code, not from callers; this is so if ever one does not


class ModelMetrics:
    """Implements `gatehouse.models.guarded.calls.ModelWatch` for one model, named as in the settings."""

    def __init__(self, metrics: Metrics, model: str) -> None:
        self._metrics = metrics
        self._model = model
        self._causes: set[str] = set()
        metrics.circuit_open.labels(model).set(0)

    def failed(self, cause: str) -> None:
        """Count a call that failed; `cause` is one of a few words, such as `timeout`."""
        if cause not in self._causes:
            if len(self._causes) >= MOST_CAUSES:
                cause = OTHER
            self._causes.add(cause)
        self._metrics.model_errors.labels(self._model, cause).inc()

    def circuit(self, open: bool) -> None:  # noqa: A002  # the protocol's name
        """Show whether the model is left alone for now."""
        self._metrics.circuit_open.labels(self._model).set(int(open))
