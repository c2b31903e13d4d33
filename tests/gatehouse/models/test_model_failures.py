"""Which failure an exception stands for, of providers that have LangChain's family and of those that have not."""

import time
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import httpx2
import openai
import pytest
from langchain_core import exceptions as langchain
from langchain_openai.chat_models.base import OpenAIRefusalError

from gatehouse.models import errors as model_errors
from gatehouse.models.errors import ModelFailed
from gatehouse.models.failures import failure_of, retry_after_of, status_of

REQUEST = httpx2.Request("POST", "https://models.example/v1")
Kind = type[ModelFailed]


class ProviderError(Exception):
    """An exception as HTTP clients of providers make it."""

    def __init__(self, status: int | None = None, text: str = "", **attributes: Any) -> None:
        super().__init__(text)
        if status is not None:
            self.response = SimpleNamespace(status_code=status, headers=attributes.pop("headers", {}))
        vars(self).update(attributes)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


class TestKinds:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (302, model_errors.ModelMisconfigured),
            (400, model_errors.ModelRefused),
            (401, model_errors.ModelMisconfigured),
            (403, model_errors.ModelMisconfigured),
            (404, model_errors.ModelMisconfigured),
            (408, model_errors.ModelServerFailed),
            (409, model_errors.ModelServerFailed),
            (422, model_errors.ModelRefused),
            (429, model_errors.ModelBusy),
            (500, model_errors.ModelServerFailed),
            (502, model_errors.ModelNotAvailable),
            (503, model_errors.ModelNotAvailable),
            (529, model_errors.ModelNotAvailable),
        ],
    )
    def test_by_the_status(self, status: int, kind: Kind) -> None:
        assert type(failure_of(ProviderError(status))) is kind

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (langchain.ContextOverflowError(), model_errors.InputTooLong),
            (langchain.ModelAuthenticationError(), model_errors.ModelMisconfigured),
            (langchain.ModelPermissionDeniedError(), model_errors.ModelMisconfigured),
            (langchain.ModelNotFoundError(), model_errors.ModelMisconfigured),
            (langchain.ModelInvalidRequestError(), model_errors.ModelRefused),
            (langchain.ModelInvalidRequestError("400: API key not valid."), model_errors.ModelMisconfigured),
            (langchain.ModelRateLimitError(), model_errors.ModelBusy),
            (langchain.ModelAPIError(), model_errors.ModelServerFailed),
            (langchain.ModelConnectionError(), model_errors.ModelUnreachable),
            (langchain.ModelTimeoutError(), model_errors.ModelTimedOut),
            (langchain.ModelRefusalError(), model_errors.ModelDeclined),
            (OpenAIRefusalError("I can't help with that."), model_errors.ModelDeclined),
            (
                OpenAIRefusalError("Model output was stopped by a content filter"),
                model_errors.ContentFiltered,
            ),
        ],
    )
    def test_by_langchains_family(self, error: Exception, kind: Kind) -> None:
        assert type(failure_of(error)) is kind

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (TimeoutError(), model_errors.ModelTimedOut),
            (openai.APITimeoutError(REQUEST), model_errors.ModelTimedOut),
            (httpx2.ReadTimeout("?"), model_errors.ModelTimedOut),
            (httpx2.ConnectTimeout("?"), model_errors.ModelUnreachable),
            (
                caused(openai.APITimeoutError(REQUEST), httpx2.ConnectTimeout("?")),
                model_errors.ModelUnreachable,
            ),
            (httpx2.RemoteProtocolError("?"), model_errors.ModelUnreachable),
            (openai.APIConnectionError(request=REQUEST), model_errors.ModelUnreachable),
            (ConnectionResetError(), model_errors.ModelUnreachable),
            (openai.APIError("?", REQUEST, body=None), model_errors.ModelServerFailed),
        ],
    )
    def test_without_a_response(self, error: Exception, kind: Kind) -> None:
        assert type(failure_of(error)) is kind

    @pytest.mark.parametrize(
        ("error", "kind"),
        [
            (ProviderError(400, code="context_length_exceeded"), model_errors.InputTooLong),
            (ProviderError(429, code="insufficient_quota"), model_errors.ModelQuotaUsedUp),
            (ProviderError(code="rate_limit_exceeded"), model_errors.ModelBusy),
            (ProviderError(400, code="content_filter"), model_errors.ContentFiltered),
            (
                ProviderError(400, body={"innererror": {"code": "ResponsibleAIPolicyViolation"}}),
                model_errors.ContentFiltered,
            ),
            (
                ProviderError(400, body={"error": {"type": "content_policy_violation"}}),
                model_errors.ContentFiltered,
            ),
            (openai.ContentFilterFinishReasonError(), model_errors.ContentFiltered),
            (
                ValueError("Azure has not provided the response due to a content filter being triggered"),
                model_errors.ContentFiltered,
            ),
            (ProviderError(400, "Unsupported api-version 1"), model_errors.ModelMisconfigured),
        ],
    )
    def test_by_what_the_body_says(self, error: Exception, kind: Kind) -> None:
        assert type(failure_of(error)) is kind

    @pytest.mark.parametrize(
        "error", [ValueError("a bug"), langchain.OutputParserException("no JSON"), KeyError()]
    )
    def test_what_is_not_the_models_is_no_failure_of_it(self, error: Exception) -> None:
        assert failure_of(error) is None

    def test_a_failure_is_itself(self) -> None:
        failure = model_errors.ModelBusy("?")
        assert failure_of(failure) is failure

    def test_an_error_that_is_its_own_cause_ends(self) -> None:
        error = ValueError()
        assert failure_of(caused(error, error)) is None

    def test_nothing_of_the_providers_text_is_in_it(self) -> None:
        failure = failure_of(ProviderError(401, "Incorrect API key sk-123456789"))
        assert "sk-" not in str(failure)


class TestRetryAfter:
    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({"retry-after": "7"}, 7.0),
            ({"retry-after": "0.5"}, 0.5),
            ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
            ({"retry-after": "1e9"}, 3600.0),
            ({"retry-after": "-3"}, None),
            ({"retry-after": "9" * 400}, None),
            ({"retry-after-ms": "nan"}, None),
            ({"retry-after": "soon"}, None),
            ({"retry-after": "7s"}, 7.0),
            ({}, None),
        ],
    )
    def test_seconds(self, headers: dict[str, str], seconds: float | None) -> None:
        assert retry_after_of(ProviderError(429, headers=headers)) == seconds

    @pytest.mark.parametrize(
        ("said", "seconds"),
        [
            ("Rate limit reached. Please try again in 6.2s.", 6.2),
            ("Rate limit reached. Please try again in 850ms.", 0.85),
            ("Limit reached, try again in 2m30s", 120.0),
            ("[{'error': {'details': [{'retryDelay': '34s'}]}}]", 34.0),
            ("No deployments available, Try again in 5 seconds.", 5.0),
            ("Try again in a while.", None),
        ],
    )
    def test_seconds_in_words(self, said: str, seconds: float | None) -> None:
        assert retry_after_of(ProviderError(429, said)) == seconds

    def test_a_date(self) -> None:
        error = ProviderError(429, headers={"retry-after": formatdate(time.time() + 60, usegmt=True)})
        assert 50 < (retry_after_of(error) or 0) <= 60

    def test_a_date_in_the_past_is_now(self) -> None:
        assert retry_after_of(ProviderError(429, headers={"retry-after": formatdate(0, usegmt=True)})) == 0.0

    def test_an_error_without_a_response_knows_none(self) -> None:
        assert retry_after_of(TimeoutError()) is None
        assert status_of(TimeoutError()) is None
