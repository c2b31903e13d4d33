"""Why a call of a chat model failed: one family, whatever the provider. Imports nothing that takes time."""

from typing import ClassVar, Literal

Cause = Literal[
    "timeout", "connection", "rate_limit", "server", "auth", "bad_request", "content_filter", "refusal",
    "no_answer", "cut_off", "unusable", "other",
]  # fmt: skip


# who may have caused it: the provider alone; its state as it tells it; the input as well
Blame = Literal["provider", "unavailable", "input"]


class ModelFailed(Exception):
    """A call of the model failed; the text names no key, prompt or address. Base of the family.

    `transient` says that the same call may succeed when it is made again, `outage` that the provider seems to
    be down, `blame` whether an input can be the reason of that. `retry_after` is in seconds: when it may be
    tried again, if that is known.
    """

    cause: ClassVar[Cause] = "other"
    transient: ClassVar[bool] = False
    outage: ClassVar[bool] = False
    blame: ClassVar[Blame] = "input"
    elsewhere: ClassVar[bool] = True  # whether another model may be asked the same

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ModelTimedOut(ModelFailed):
    """It said nothing for too long, or did not end in time."""

    cause = "timeout"
    outage = True


class ModelUnreachable(ModelFailed):
    """No connection, or one that broke."""

    cause = "connection"
    blame = "provider"
    transient = outage = True


class ModelServerFailed(ModelFailed):
    """The provider answered with an error of its own."""

    cause: ClassVar[Cause] = "server"
    transient = outage = True


class ModelNotAvailable(ModelServerFailed):
    """The provider, or what stands in front of it, says that it is not available now."""

    blame = "unavailable"


class ModelSaidNothing(ModelServerFailed):
    """What came with a success was no answer: another site's page, an empty body, an answer of no words."""

    cause = "no_answer"


class ModelCutOff(ModelFailed):
    """The answer ended before its end, and what came of it cannot be used."""

    cause = "cut_off"
    transient = True


class AnswerUnusable(ModelFailed):
    """The answer came whole and is not what was asked for: no data of the schema, no arguments of a tool."""

    cause = "unusable"
    transient = True


class ModelBusy(ModelFailed):
    """The provider's rate limit is reached."""

    cause = "rate_limit"
    transient = True


class ModelQuotaUsedUp(ModelBusy):
    """The provider's account has nothing left: asking again soon is of no use."""

    transient = False


class ModelCircuitOpen(ModelFailed):
    """The model failed too often: it is not asked for a while."""


class ModelMisconfigured(ModelFailed):
    """The key, the address, the deployment or the API version is wrong."""

    cause = "auth"


class ModelRefused(ModelFailed):
    """The provider does not take the request as it is."""

    cause = "bad_request"
    elsewhere = False


class InputTooLong(ModelRefused):
    """The input, with its history, has more tokens than the model takes."""


class AddressRefused(ModelRefused):
    """A file is named by its address, which the provider's package would open from here."""


class ContentFiltered(ModelFailed):
    """The provider's content filter stopped the input or the answer."""

    cause = "content_filter"
    elsewhere = False


class ModelDeclined(ModelFailed):
    """The model itself refused, where its refusal cannot be the answer: data of a schema was asked for."""

    cause = "refusal"
    elsewhere = False
