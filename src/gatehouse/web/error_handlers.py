"""The one place that turns errors into responses."""

from collections.abc import Collection
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from gatehouse.limits.refusal import LIMITED
from gatehouse.problems.errors import (
    ApiError,
    BadRequest,
    Forbidden,
    InvalidInput,
    PayloadTooLarge,
    Problem,
    RequestTimeout,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from gatehouse.problems.faults import told
from gatehouse.problems.stores import STORE_IS_AWAY
from gatehouse.web.dependencies import document_credentials
from gatehouse.web.error_shapes import NONE, PROBLEM, Shapes, shape_for
from gatehouse.web.paths import Operation
from gatehouse.web.sending import problem_response

log = structlog.get_logger(__name__)


# gatehouse.web.middleware.authenticate and gatehouse.web.middleware.BodyLimit answer these before any route
# is asked
SURROUNDING: tuple[type[ApiError], ...] = (
    BadRequest,
    Unauthenticated,
    Forbidden,
    RequestTimeout,
    PayloadTooLarge,
    UnsupportedMediaType,
    Unavailable,
)


class HttpProblem(ApiError):
    """An HTTPException of the framework (no such route, wrong method) as a problem."""

    kind = "http-error"

    def __init__(self, error: HTTPException) -> None:
        super().__init__(str(error.detail), headers=error.headers)
        self.status = error.status_code  # type: ignore[misc]  # known only here, not by the class


def add_error_handlers(app: FastAPI, public: Collection[Operation], shapes: Shapes = NONE) -> None:
    """Make every error that a route raises a response, in the form of its wire: `shapes`, or problem+json."""
    app.state.error_shapes = shapes

    @app.exception_handler(ApiError)
    async def api_error(request: Request, error: ApiError) -> Response:
        return problem_response(error, request.scope)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        # LangServe raises it with plain strings too
        faults = (fault for fault in error.errors() if isinstance(fault, dict))
        return problem_response(InvalidInput(errors=told(faults)), request.scope)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        return problem_response(HttpProblem(error), request.scope)

    async def away(request: Request, error: Exception) -> Response:
        log.warning("a store does not answer", path=request.url.path, error=type(error).__name__)
        return problem_response(Unavailable(), request.scope)

    for kind in STORE_IS_AWAY:
        app.add_exception_handler(kind, away)

    document_problems(app, public, shapes)


def document_problems(app: FastAPI, public: Collection[Operation], shapes: Shapes) -> None:
    """Say in the OpenAPI document what errors look like."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        if schemas.pop("HTTPValidationError", None):  # what FastAPI would answer, and we do not
            del schemas["ValidationError"]
            for path in document["paths"].values():
                for operation in path.values():
                    document_validation(operation["responses"])
        document_credentials(document, public)
        for path, operations in document["paths"].items():
            for operation in operations.values():
                document_surroundings(operation["responses"])
                document_limits(operation)
            document_shape(path, operations, shapes)
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def document_shape(path: str, operations: dict[str, Any], shapes: Shapes) -> None:
    """Say in which form the errors under a path are."""
    shape = shape_for(path, shapes)
    for operation in operations.values():
        for status, other in shape.statuses.items():
            if answer := operation["responses"].pop(str(status), None):
                operation["responses"].setdefault(str(other), answer)
        for status, answer in operation["responses"].items():
            content = answer.get("content", {})
            if shape.media_type != PROBLEM.media_type and PROBLEM.media_type in content:
                told = {shape.media_type: {"schema": dict(shape.schema)}}
                operation["responses"][status] = {**answer, "content": told}


def document_limits(operation: dict[str, Any]) -> None:
    """Say that a call of somebody may be over a limit: the layer in front of the routes answers that."""
    if "security" in operation:
        for status, answer in LIMITED.items():
            operation["responses"].setdefault(str(status), answer)


def document_surroundings(responses: dict[str, Any]) -> None:
    """Add what the layers around every route may answer, where the route says nothing of it itself."""
    for error in SURROUNDING:
        for status, answer in error.schema().items():
            responses.setdefault(str(status), answer)


def document_validation(responses: dict[str, Any]) -> None:
    """Put our problem in the place of FastAPI's validation error."""
    if "HTTPValidationError" in str(responses.get("422")):
        responses.update({str(status): answer for status, answer in InvalidInput.schema().items()})
