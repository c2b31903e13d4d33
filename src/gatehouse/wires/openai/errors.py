"""Errors as OpenAI's clients read them: `{"error": {message, type, param, code}}`, and whether to ask again.

The clients ask again by themselves after 408, 409, 429 and every 5xx, without an Idempotency-Key, unless
`x-should-retry` says otherwise. It says false wherever that would start a second run, or cannot help.
"""

from collections.abc import Mapping
from typing import Any

from starlette.types import Scope

from gatehouse.plain_json import json_text
from gatehouse.problems.errors import ApiError, BadRequest, InvalidInput, NotFound
from gatehouse.web.error_shapes import ErrorShape
from gatehouse.wires.answers import RunFailedBefore

WORTH_WAITING = 60  # seconds; who is over a limit of the day is not helped by asking twice more
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
SERVERS = 500


class UnsupportedParameter(BadRequest):
    """What a client wants of a model that this one does not do, and whose answer would be another without."""

    kind = "unsupported_parameter"

    def __init__(self, param: str, detail: str) -> None:
        super().__init__(detail, param=param)


class InvalidValue(BadRequest):
    """A field that cannot be taken as it is."""

    kind = "invalid_value"

    def __init__(self, param: str, detail: str) -> None:
        super().__init__(detail, param=param)


class NoSuchModel(NotFound):
    kind = "model_not_found"

    def __init__(self) -> None:
        super().__init__(
            "There is no such model, or it is not yours to use: /v1/models lists them.", param="model"
        )


def written(_error: ApiError, problem: Mapping[str, Any]) -> str:
    """Return the body of an error."""
    return json_text({"error": told(problem)})


def told(problem: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a client is told of a problem, in a response or in a stream."""
    return {
        "message": message_of(problem),
        "type": type_of(problem["status"]),
        "param": problem.get("param") or param_of(problem),
        "code": str(problem["type"]).rpartition(":")[2].replace("-", "_"),
    }


def type_of(status: int) -> str:
    """Return OpenAI's type of an error with this status."""
    return TYPES.get(status, "server_error" if status >= SERVERS else "invalid_request_error")


def message_of(problem: Mapping[str, Any]) -> str:
    """Return what is wrong, with the first faults of fields."""
    faults = [f"{field_of(fault)}: {fault['msg']}" for fault in problem.get("errors", ())[:3]]
    return "; ".join([problem["detail"].removesuffix("." if faults else ""), *faults])


def param_of(problem: Mapping[str, Any]) -> str | None:
    """Return the first faulty field; None where it is not about one."""
    return next((field_of(fault) for fault in problem.get("errors", ())), None)


def field_of(fault: Mapping[str, Any]) -> str:
    return ".".join(str(part) for part in fault["loc"] if part != "body")


def should_retry(error: ApiError, _scope: Scope) -> dict[str, str]:
    """Return `x-should-retry`: true where the same request may well be answered soon."""
    waits = "retry-after" in error.headers and int(error.headers["retry-after"]) <= WORTH_WAITING
    return {"x-should-retry": "true" if waits and not isinstance(error, RunFailedBefore) else "false"}


TEXT_OR_NULL = {"type": ["string", "null"]}
OPENAI_ERROR = ErrorShape(
    "application/json",
    {
        "description": "An error of OpenAI's wires.",
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type", "param", "code"],
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": TEXT_OR_NULL,
                    "code": TEXT_OR_NULL,
                },
            }
        },
    },
    written,
    should_retry,
    {InvalidInput.status: BadRequest.status},  # faulty fields are a 400, as they are at OpenAI
)
