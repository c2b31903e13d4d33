"""Gatehouse as an OAuth resource server for MCP's clients: its metadata (RFC 9728), and its challenges."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.datastructures import URL
from starlette.requests import HTTPConnection
from starlette.types import Scope

from gatehouse.problems.errors import ApiError, NotFound
from gatehouse.services import services_of
from gatehouse.web.error_shapes import ErrorShape, problem_body
from gatehouse.wires.mcp.paths import METADATA, PATH


class ProtectedResource(BaseModel):
    """Where a client gets a token for `/mcp`, and which scopes there are."""

    resource: str
    authorization_servers: list[str]
    scopes_supported: list[str]
    bearer_methods_supported: list[str] = Field(["header"])
    resource_name: str = "Gatehouse"


router = APIRouter(tags=["MCP"])


@router.get(METADATA, responses=NotFound.schema())
@router.get(METADATA + PATH, responses=NotFound.schema())
async def protected_resource(request: Request) -> ProtectedResource:
    """Who issues the tokens for `/mcp`. 404 where no issuer is configured: its keys are API keys then."""
    services = services_of(request)
    if not services.settings.issuer_on_the_web:
        raise NotFound("There is no issuer of tokens: send an API key as x-api-key.")
    scopes = sorted({entry.required_scope for entry in services.entries.values() if entry.told_over_mcp})
    return ProtectedResource(
        resource=base_of(request) + PATH,
        authorization_servers=[services.settings.issuer],
        scopes_supported=scopes,
    )


def base_of(connection: HTTPConnection) -> str:
    """Return this server's address without a path: GATEHOUSE_PUBLIC_URL, or that of the request."""
    public = services_of(connection).settings.public_url
    return (public or str(URL(scope=connection.scope).replace(path="", query=""))).rstrip("/")


def challenged(error: ApiError, scope: Scope) -> dict[str, Any]:
    """Return the header fields of an error: a challenge says where the metadata is (RFC 9728 section 5.1)."""
    challenge = error.headers.get("www-authenticate")
    connection = HTTPConnection(scope)
    if challenge is None or not services_of(connection).settings.issuer_on_the_web:
        return {}
    where = f'resource_metadata="{base_of(connection)}{METADATA}{PATH}"'
    return {"www-authenticate": f"{challenge}{',' if '=' in challenge else ''} {where}"}


CHALLENGED = ErrorShape(
    "application/problem+json", {"$ref": "#/components/schemas/Problem"}, problem_body, challenged
)
