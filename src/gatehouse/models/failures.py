"""Which failure a provider's exception stands for.

Providers' packages are not imported for it: LangChain's `ModelError` family is asked first, then the status
and the error code that HTTP clients of providers put into their exceptions, then the names of their classes.
"""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, cast

from langchain_core import exceptions as langchain

from gatehouse.models.errors import (
    ContentFiltered,
    InputTooLong,
    ModelBusy,
    ModelCutOff,
    ModelDeclined,
    ModelFailed,
    ModelMisconfigured,
    ModelNotAvailable,
    ModelQuotaUsedUp,
    ModelRefused,
    ModelSaidNothing,
    ModelServerFailed,
    ModelTimedOut,
    ModelUnreachable,
)
from gatehouse.models.failure_words import filtered_in_words, kind_in_words, seconds_in_words

MOST_SECONDS = 3600.0  # that a provider may ask us to wait
DEPTH = 5  # of causes and bodies that are looked into
FILTERED = frozenset(
    {
        *("content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation"),
        *("data_inspection_failed", "DataInspectionFailed", "1301"),  # Qwen's, and Zhipu's
    }
)
CODES: Mapping[str, type[ModelFailed]] = {
    "context_length_exceeded": InputTooLong,
    "exceed_context_size_error": InputTooLong,
    "context_window_exceeded": InputTooLong,
    "model_context_window_exceeded": InputTooLong,
    "string_above_max_length": InputTooLong,
    "insufficient_quota": ModelQuotaUsedUp,
    "billing_error": ModelQuotaUsedUp,
    "authentication_error": ModelMisconfigured,
    "permission_error": ModelMisconfigured,
    "not_found_error": ModelMisconfigured,
    "invalid_api_key": ModelMisconfigured,
    "model_not_found": ModelMisconfigured,
    "request_too_large": InputTooLong,
    "timeout_error": ModelNotAvailable,
    "overloaded_error": ModelNotAvailable,  # Anthropic's, in the middle of a stream too
    "rate_limit_error": ModelBusy,
    "api_error": ModelServerFailed,
    "server_error": ModelServerFailed,
    "rate_limit_exceeded": ModelBusy,
    "too_many_requests": ModelBusy,
    "429": ModelBusy,
}
TIMEOUTS = frozenset({"TimeoutException", "APITimeoutError", "TimeoutError"})
CONNECTIONS = frozenset({"TransportError", "APIConnectionError", "ConnectionError", "ClientConnectionError"})
NOT_AVAILABLE = frozenset({502, 503, 504, 529})  # the last is Anthropic's for an overload
SERVERS = frozenset({"APIError", "ProviderSaid"})
# of bodies without choices; the last is Apigee's
TROUBLE = ("detail", "message", "msg", "errors", "error_message", "error_msg", "fault")
# LangChain's exceptions for the failures that OpenAI's Responses API tells in a stream
IN_STREAM = re.compile(r"ResponseError\(code='(?P<failed>\w+)'|(?P<error>\w+): ")
STATUSES: Mapping[int, type[ModelFailed]] = {
    401: ModelMisconfigured,
    402: ModelQuotaUsedUp,
    403: ModelMisconfigured,
    404: ModelMisconfigured,
    405: ModelMisconfigured,
    407: ModelMisconfigured,  # of a proxy on the way
    408: ModelServerFailed,  # it gave up waiting for us: worth another try, unlike our own waiting
    409: ModelServerFailed,
    410: ModelMisconfigured,
    413: InputTooLong,
    424: ModelServerFailed,  # TGI's for a generation that failed
    425: ModelServerFailed,
    429: ModelBusy,
    444: ModelServerFailed,  # nginx's for an answer that it has not
    449: ModelServerFailed,
    498: ModelBusy,  # Groq's for no room
    499: ModelServerFailed,  # Google's and nginx's for a call that was cancelled
}
LANGCHAIN: Mapping[type[Exception], type[ModelFailed]] = {
    langchain.ContextOverflowError: InputTooLong,
    langchain.ModelRefusalError: ModelDeclined,
    langchain.ModelAuthenticationError: ModelMisconfigured,
    langchain.ModelPermissionDeniedError: ModelMisconfigured,
    langchain.ModelNotFoundError: ModelMisconfigured,
    langchain.ModelRateLimitError: ModelBusy,
    langchain.ModelTimeoutError: ModelTimedOut,
    langchain.ModelConnectionError: ModelUnreachable,
    langchain.ModelAPIError: ModelServerFailed,
}
SAID: Mapping[type[ModelFailed], str] = {
    ModelCutOff: "the answer was cut off",
    ModelDeclined: "the model refused",
    ModelSaidNothing: "what it sent is no answer",
    ContentFiltered: "the content filter stopped it",
    InputTooLong: "the input is too long",
    ModelBusy: "the rate limit is reached",
    ModelQuotaUsedUp: "the quota is used up",
    ModelMisconfigured: "the key, address or deployment is not accepted",
    ModelRefused: "the request is not accepted",
    ModelNotAvailable: "the provider is not available",
    ModelServerFailed: "the provider failed",
    ModelTimedOut: "it took too long",
    ModelUnreachable: "it cannot be reached",
}


def failure_of(error: Exception) -> ModelFailed | None:
    """Return what the exception says about the model; None if it says nothing, as one of our own does."""
    error = told_in(error)
    if isinstance(error, ModelFailed):
        return error
    kind = _kind(error)
    return kind(SAID[kind], retry_after_of(error)) if kind else None


class ProviderSaid(Exception):
    """An error that a provider sent as a success; `body` is what it sent."""

    def __init__(self, body: object) -> None:
        told = body.get("message") if isinstance(body, Mapping) else body
        super().__init__(f"the provider sent an error as a success: {told}")
        self.body = body if isinstance(body, Mapping) else {"message": str(body)}


def error_in(body: Mapping[str, Any]) -> object | None:
    """Return the error that a body has or is, in OpenAI's form or in those of others; None for an answer."""
    if body.get("error"):
        return cast("object", body["error"])
    if body.get("choices") is not None:
        return None
    told = body.get("base_resp")  # MiniMax's
    if isinstance(told, Mapping) and told.get("status_code"):
        return {"message": told.get("status_msg"), "code": told["status_code"]}
    is_error = "error" in (body.get("object"), body.get("type")) or any(map(body.get, TROUBLE))
    # OpenAI's client fills in all fields of a chunk, and their names say something too
    return {name: value for name, value in body.items() if value is not None} if is_error else None


def told_in(error: Exception) -> Exception:
    """Return the cause of an error that says more than it: a client makes an error of its own of any."""
    link: BaseException | None = error
    for _ in range(DEPTH):
        if isinstance(link, ModelFailed | ProviderSaid):
            return link
        link = link.__cause__ if link else None
    return error


def status_of(error: Exception) -> int | None:
    """Return the HTTP status that a provider answered with, if the exception knows it."""
    for holder in (error, getattr(error, "response", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int):
            return status
    return None


def retry_after_of(error: Exception) -> float | None:
    """Return the seconds after which the provider wants to be asked again (RFC 9110 section 10.2.3)."""
    headers: Mapping[str, str] = getattr(getattr(error, "response", None), "headers", None) or {}
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return _bounded(float(milliseconds) / 1000)
        if value := headers.get("retry-after", "").removesuffix("s"):
            return _bounded(float(value) if value[:1].isdigit() else _seconds_until(value))
    except (TypeError, ValueError):  # neither a number nor a date
        return None
    return seconds_in_words(error)


def _kind(error: Exception) -> type[ModelFailed] | None:
    codes, names = _codes(error), _names(error)
    status = status_of(error)
    told_inside = _status_in(codes)
    if status is None or status < HTTPStatus.MULTIPLE_CHOICES:  # told in a stream, or with a success
        status = told_inside or status
    elif status >= HTTPStatus.INTERNAL_SERVER_ERROR and told_inside:  # of a proxy that has one for all
        status = told_inside
    if told := _kind_told(error, codes, names, status):
        return told
    known = next((ours for theirs, ours in LANGCHAIN.items() if isinstance(error, theirs)), None)
    if known is ModelServerFailed and status is not None:
        return _kind_of_status(status, error)
    if known or status is None:
        return known or _kind_without_response(error, names)
    return _kind_of_status(status, error)


def _kind_told(
    error: Exception, codes: set[str], names: set[str], status: int | None
) -> type[ModelFailed] | None:
    """Return the kind that the codes, the names or the words of an error tell by themselves."""
    if codes & FILTERED or "ContentFilterFinishReasonError" in names or filtered_in_words(error):
        return ContentFiltered
    if "LengthFinishReasonError" in names:
        return ModelCutOff
    if told := next((kind for code, kind in CODES.items() if code in codes), None):
        return told
    if told := kind_in_words(error, status):
        return told
    if "ConnectTimeout" in names:
        return ModelUnreachable
    succeeded = status is None or status < HTTPStatus.MULTIPLE_CHOICES
    return ModelRefused if succeeded and "invalid_request_error" in codes else None


def _kind_of_status(status: int, error: Exception) -> type[ModelFailed]:
    if kind := STATUSES.get(status):
        return kind
    if status in NOT_AVAILABLE:
        return ModelNotAvailable
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ModelServerFailed
    if status < HTTPStatus.OK:  # no status: Ollama's client has -1 for an error in the middle of a stream
        return ModelServerFailed
    if status < HTTPStatus.MULTIPLE_CHOICES:  # its client could not read what came with a success
        return ModelSaidNothing
    # a redirect is an address that is not the API's; and Azure has 400 for a version that there is not
    wrong_address = status < HTTPStatus.BAD_REQUEST or "api version" in str(error).lower().replace("-", " ")
    return ModelMisconfigured if wrong_address else ModelRefused


def _kind_without_response(error: Exception, names: set[str]) -> type[ModelFailed] | None:
    """Return the kind of an error that came without a status: on the way, or in the middle of a stream."""
    if isinstance(error, langchain.ModelInvalidRequestError):
        return ModelRefused
    if names & TIMEOUTS:
        return ModelTimedOut
    if names & CONNECTIONS:
        return ModelUnreachable
    return ModelServerFailed if names & SERVERS else None


def _names(error: Exception) -> set[str]:
    """Return the names of the exception's classes and, of HTTP clients' own below it, of their cause."""
    names: set[str] = set()
    link: BaseException | None = error
    for _ in range(DEPTH):
        names |= {kind.__name__ for kind in type(link).__mro__}
        link = link.__cause__ if link else None
    return names


def _codes(error: Exception) -> set[str]:
    """Return the codes of an error body, as OpenAI and Azure nest them."""
    body: Any = getattr(error, "body", None)
    codes = {str(getattr(error, "code", None))}
    if type(error) is ValueError and (told := IN_STREAM.match(str(error))):
        codes |= {told["failed"] or told["error"]}
    for _ in range(DEPTH):
        if isinstance(body, list) and body:  # Gemini's are in one
            body = body[0]
        if isinstance(body, Mapping):
            codes |= {str(body.get("code")), str(body.get("type"))}
            body = body.get("error") or body.get("innererror")
    return codes


def _status_in(codes: set[str]) -> int | None:
    """Return the HTTP status that is among the codes of an error."""
    return next((int(code) for code in codes if re.fullmatch("[45][0-9]{2}", code)), None)


def _seconds_until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time.time()


def _bounded(seconds: float) -> float:
    if not seconds < float("inf"):  # infinite, or not a number
        raise ValueError
    return min(max(0.0, seconds), MOST_SECONDS)
