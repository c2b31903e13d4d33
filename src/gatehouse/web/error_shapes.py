"""The forms in which errors are told: problem+json, but where a wire has its own, by its paths."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

from starlette.types import Scope

from gatehouse.plain_json import json_text
from gatehouse.problems.errors import PROBLEM_JSON, ApiError

REFERENCE = {"$ref": "#/components/schemas/Problem"}


def no_headers(_error: ApiError, _scope: Scope) -> dict[str, str]:
    return {}


def problem_body(_error: ApiError, problem: Mapping[str, Any]) -> str:
    return json_text(problem)


@dataclass(frozen=True, slots=True)
class ErrorShape:
    """How an error is written: `body` makes it of the error and of its problem, and `headers` what is said
    beside it of the error and of its request; `schema` is for OpenAPI. `statuses` are those that have another
    in this form.
    """

    media_type: str
    schema: Mapping[str, Any]
    body: Callable[[ApiError, Mapping[str, Any]], str]
    headers: Callable[[ApiError, Scope], Mapping[str, str]] = no_headers
    statuses: Mapping[int, int] = field(default_factory=dict)


PROBLEM = ErrorShape(PROBLEM_JSON, REFERENCE, problem_body)


def sentence(_error: ApiError, problem: Mapping[str, Any]) -> str:
    """Return what a person is told: clients of this form show them the whole body."""
    faults = (f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}." for fault in problem.get("errors", ()))
    return " ".join((str(problem["detail"]), *faults))


SENTENCE = ErrorShape("text/plain", {"type": "string"}, sentence)

Shapes = Mapping[str, ErrorShape]
NONE: Shapes = MappingProxyType({})


def shape_for(path: str, shapes: Shapes) -> ErrorShape:
    """Return the form of errors under a path; `shapes` are by what their paths begin with."""
    found = (shape for prefix, shape in shapes.items() if f"{path}/".startswith(f"{prefix}/"))
    return next(found, PROBLEM)


def shape_of(scope: Scope) -> ErrorShape:
    """Return the form in which the caller of this request is told of an error."""
    state = getattr(scope.get("app"), "state", None)
    return shape_for(scope["path"], cast("Shapes", getattr(state, "error_shapes", NONE)))
