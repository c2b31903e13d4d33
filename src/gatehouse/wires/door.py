"""Whether new runs are taken at all."""

from gatehouse.problems.models import ModelUnavailable
from gatehouse.services import Services


def refuse_without_a_model(services: Services) -> None:
    """Raise ModelUnavailable while no model may be asked, rather than begin a run that can only fail.

    That is while the circuit is open, of the fallback too if there is one. Any runnable counts as one that
    needs the model: which of them do, only they know.
    """
    if seconds := services.model.model.seconds_to_wait():
        raise ModelUnavailable(seconds)
