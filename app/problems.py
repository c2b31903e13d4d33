"""The one place that turns errors into responses."""

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from app.errors import ApiError, InvalidInput, Problem
from app.middleware import problem_response

log = structlog.get_logger(__name__)


class HttpProblem(ApiError):
    """An HTTPException of the framework (no such route, wrong method) as a problem."""

    kind = "http-error"

    def __init__(self, error: HTTPException) -> None:
        super().__init__(str(error.detail), headers=error.headers)
        self.status = error.status_code  # type: ignore[misc]  # known only here, not by the class


def add_error_handlers(app: FastAPI) -> None:
    """Make every error that a route raises an application/problem+json response."""

    @app.exception_handler(ApiError)
    async def api_error(request: Request, error: ApiError) -> Response:
        return problem_response(error, request.scope)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        faults = [
            {"loc": fault["loc"], "msg": fault["msg"], "type": fault["type"]}
            for fault in error.errors()
            if isinstance(fault, dict)  # LangServe raises it with plain strings too
        ]
        return problem_response(InvalidInput(errors=faults), request.scope)

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> Response:
        return problem_response(HttpProblem(error), request.scope)

    document_problem(app)


def document_problem(app: FastAPI) -> None:
    """Add the Problem schema to the OpenAPI document, where `ApiError.schema()` refers to it."""
    generate = app.openapi

    def openapi() -> dict[str, object]:
        document = generate()
        schemas = document.setdefault("components", {}).setdefault("schemas", {})
        schemas["Problem"] = Problem.model_json_schema()
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend it
