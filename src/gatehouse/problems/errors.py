"""Errors that callers see: one family, sent as application/problem+json (RFC 9457)."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from gatehouse.identity.principal import Principal

PROBLEM_JSON = "application/problem+json"


class Problem(BaseModel):
    """The body of every error. `errors` lists the faulty fields of a 422."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:gatehouse:problem:not-found"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["There is no such run."])
    instance: str = Field(examples=["urn:gatehouse:request:0198c0de-0000-7000-8000-000000000000"])


class ApiError(Exception):
    """Base of the errors with a status, a kind and a message that tells the caller what to do.

    `detail` is shown to the caller as it is: it must hold no secret, stack or foreign data.
    """

    status: ClassVar[int] = 500
    kind: ClassVar[str] = "internal-error"
    default_detail: ClassVar[str] = "Something went wrong on our side. Try again later."

    def __init__(
        self, detail: str | None = None, *, headers: Mapping[str, str] | None = None, **extra: Any
    ) -> None:
        self.detail = detail or self.default_detail
        self.headers = dict(headers or {})
        self.extra = extra
        super().__init__(self.detail)

    def problem(self, instance: str) -> dict[str, Any]:
        """Return the problem+json body; `instance` names the request or the run, as a URN."""
        return {
            "type": f"urn:gatehouse:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            **self.extra,
        }

    @classmethod
    def schema(cls) -> dict[int | str, dict[str, Any]]:
        """Return this error as an entry of FastAPI's `responses=`."""
        content = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        return {cls.status: {"description": cls.default_detail, "content": content}}


class BadRequest(ApiError):
    status = 400
    kind = "bad-request"
    default_detail = "The request could not be understood."


class Refused(ApiError):
    """The caller may not do this. What operators are told of it beside: why, and who it was if known."""

    principal: "Principal | None" = None

    @property
    def cause(self) -> str:
        """One of a few words, for a metric."""
        return self.kind


class Unauthenticated(Refused):
    """No credential at all: the challenge carries no error code (RFC 6750 section 3.1)."""

    status = 401
    kind = "unauthenticated"
    default_detail = "Sign in, or send an Authorization: Bearer token or an x-api-key header."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, headers={"www-authenticate": "Bearer"})


class InvalidCredential(Refused):
    """A credential that is not accepted; the body is the same for every cause.

    `credential` is its kind and `principal` whose it was, where that is known; the caller is told neither.
    """

    status = 401
    kind = "invalid-credential"
    default_detail = "The credential is not valid or no longer valid."

    def __init__(self, principal: "Principal | None" = None) -> None:
        super().__init__(headers={"www-authenticate": 'Bearer error="invalid_token"'})
        self.principal = principal
        self.credential = ""

    @property
    def cause(self) -> str:
        return f"invalid-{self.credential.replace('_', '-')}" if self.credential else self.kind


class CredentialExpired(Refused):
    """What ends a run, and a viewer's stream, when the credential behind it does."""

    status = 401
    kind = "credential-expired"
    default_detail = "The credential expired or was revoked meanwhile. Sign in and start again."

    def __init__(self) -> None:
        super().__init__(headers={"www-authenticate": 'Bearer error="invalid_token"'})


class Forbidden(Refused):
    status = 403
    kind = "forbidden"
    default_detail = "This is not allowed."


class InsufficientScope(Refused):
    """The credential is valid but lacks `scope` (RFC 6750 section 3.1)."""

    status = 403
    kind = "insufficient-scope"
    default_detail = "The credential lacks a scope that this call needs."

    def __init__(self, scope: str) -> None:
        challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
        super().__init__(
            f"This call needs the scope {scope}.", headers={"www-authenticate": challenge}, scope=scope
        )


class NotFound(ApiError):
    status = 404
    kind = "not-found"
    default_detail = "There is nothing here, or it is not yours."


class Conflict(ApiError):
    status = 409
    kind = "conflict"
    default_detail = "This conflicts with something that is going on."


class PayloadTooLarge(ApiError):
    status = 413
    kind = "payload-too-large"
    default_detail = "The request body is larger than this server takes."


class RequestTimeout(ApiError):
    status = 408
    kind = "request-timeout"
    default_detail = "The request body did not arrive in time."


class UnsupportedMediaType(ApiError):
    status = 415
    kind = "unsupported-media-type"
    default_detail = "Send the body as application/json."


class InvalidInput(ApiError):
    """The request is well-formed but its content is not what the endpoint takes."""

    status = 422
    kind = "invalid-input"
    default_detail = "The request has faulty fields."


class RunFailed(ApiError):
    """The runnable raised. Its own message stays in the log: it may hold secrets."""

    status = 500
    kind = "run-failed"
    default_detail = "The run failed. The server's log has the cause."


class Unavailable(ApiError):
    status = 503
    kind = "unavailable"
    default_detail = "A part that this call needs is not available. Try again later."
    retry_after: ClassVar[int] = 5  # seconds

    def __init__(
        self, detail: str | None = None, *, headers: Mapping[str, str] | None = None, **extra: Any
    ) -> None:
        told = {"retry-after": str(self.retry_after), **(headers or {})}
        super().__init__(detail, headers=told, **extra)


class DeadlineExceeded(ApiError):
    status = 504
    kind = "deadline-exceeded"
    default_detail = "The run took longer than it may."
