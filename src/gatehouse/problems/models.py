"""What callers are told when the chat model fails."""

from collections.abc import Mapping
from math import ceil

from gatehouse.models import errors as model_errors
from gatehouse.models.errors import ModelFailed
from gatehouse.problems.errors import ApiError, RunFailed

SOON = 5.0  # seconds, where the provider does not say when to ask again


class ModelUnavailableProblem(ApiError):
    """The provider is down, or its circuit open."""

    status = 503
    kind = "model-unavailable"
    default_detail = "The model does not answer at the moment. Try again later."

    def __init__(self, seconds: float | None = None) -> None:
        wait = max(1, ceil(SOON if seconds is None else seconds))
        super().__init__(headers={"retry-after": str(wait)}, retry_after=wait)


class ModelRateLimited(ModelUnavailableProblem):
    """The provider lets this server ask no more for now: it is not the caller's own limit."""

    kind = "model-rate-limited"
    default_detail = "The model is asked more than it answers at the moment. Try again later."


class ModelMisconfiguredProblem(ApiError):
    """The provider does not take the server's key, address, deployment or API version."""

    status = 502
    kind = "model-misconfigured"
    default_detail = "The model is not set up correctly. The server's log says what its provider refused."


class ModelTimeout(ApiError):
    status = 504
    kind = "model-timeout"
    default_detail = "The model took too long to answer. Try again, or ask for less."


class InputTooLongProblem(ApiError):
    status = 422
    kind = "input-too-long"
    default_detail = "The conversation is longer than the model takes. Shorten it, or begin a new thread."


class AddressRefusedProblem(ApiError):
    status = 422
    kind = "address-refused"
    default_detail = "This model takes files by their content: send them in base64, not by their address."


class ContentFilteredProblem(ApiError):
    status = 422
    kind = "content-filtered"
    default_detail = "The model's content filter stopped this. Put it in other words."


class ModelSaidNothingProblem(ApiError):
    """Its provider answered with a success, and with no answer."""

    status = 502
    kind = "model-said-nothing"
    default_detail = "The model's provider sent no answer. Ask again."


class ModelCutOffProblem(ApiError):
    status = 502
    kind = "model-cut-off"
    default_detail = "The model's answer was cut off before its end, and nothing of it was done. Ask again."


class AnswerUnusableProblem(ApiError):
    status = 502
    kind = "model-answer-unusable"
    default_detail = "The model's answer does not have the form that is needed here. Ask again."


class ModelDeclinedProblem(ApiError):
    status = 422
    kind = "model-refused"
    default_detail = "The model refused to answer this. Put it in other words."


PROBLEMS: Mapping[type[ModelFailed], type[ApiError]] = {
    model_errors.ModelMisconfigured: ModelMisconfiguredProblem,
    model_errors.ModelTimedOut: ModelTimeout,
    model_errors.InputTooLong: InputTooLongProblem,
    model_errors.AddressRefused: AddressRefusedProblem,
    model_errors.ContentFiltered: ContentFilteredProblem,
    model_errors.ModelSaidNothing: ModelSaidNothingProblem,
    model_errors.ModelCutOff: ModelCutOffProblem,
    model_errors.AnswerUnusable: AnswerUnusableProblem,
    model_errors.ModelDeclined: ModelDeclinedProblem,
}
WAITING: Mapping[type[ModelFailed], type[ModelUnavailableProblem]] = {
    model_errors.ModelUnreachable: ModelUnavailableProblem,
    model_errors.ModelServerFailed: ModelUnavailableProblem,
    model_errors.ModelNotAvailable: ModelUnavailableProblem,
    model_errors.ModelCircuitOpen: ModelUnavailableProblem,
    model_errors.ModelBusy: ModelRateLimited,
    model_errors.ModelQuotaUsedUp: ModelRateLimited,
}


def problem_of(failure: ModelFailed) -> ApiError:
    """Return what the caller is told of the failure; RunFailed when it is not the caller's concern."""
    if waiting := WAITING.get(type(failure)):
        return waiting(failure.retry_after)
    return PROBLEMS.get(type(failure), RunFailed)()
