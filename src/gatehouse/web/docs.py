"""Swagger UI at /docs, from files in the package: works offline and under the strict policy."""

from pathlib import Path
from typing import Any

import fastapi_offline
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from gatehouse.problems.errors import NotFound
from gatehouse.registry.offered import offered, runnable_under
from gatehouse.services import services_of
from gatehouse.web.dependencies import CurrentPrincipal

ASSETS = Path(fastapi_offline.__file__).parent / "static"
SCHEMAS = "#/components/schemas/"
FILES = frozenset({"swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"})

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gatehouse API</title>
<link rel="icon" href="docs/favicon.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""

START = """SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: false,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
});
"""


router = APIRouter(include_in_schema=False)


@router.get("/docs")
async def page() -> HTMLResponse:
    # Swagger UI sets style attributes; nothing else of the policy is relaxed
    policy = (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return HTMLResponse(PAGE, headers={"content-security-policy": policy})


@router.get("/openapi.json")
async def document(request: Request, principal: CurrentPrincipal) -> JSONResponse:
    services = services_of(request)
    hidden = services.entries.keys() - offered(services.settings, principal, services.entries).keys()
    whole = request.app.openapi()
    names = services.entries.keys()
    paths = {path: item for path, item in whole["paths"].items() if runnable_under(path, names) not in hidden}
    return JSONResponse(without_unused_schemas({**whole, "paths": paths}))


def without_unused_schemas(document: dict[str, Any]) -> dict[str, Any]:
    """Return an OpenAPI document without the schemas to which no path of it leads."""
    components = document["components"]
    schemas, used = components["schemas"], set[str]()
    pending = references(document["paths"])
    while pending:
        used |= pending
        pending = references([schemas[name] for name in pending]) - used
    kept = {name: schema for name, schema in schemas.items() if name in used}
    return {**document, "components": {**components, "schemas": kept}}


def references(part: Any) -> set[str]:
    """Return the names of the schemas that a part of an OpenAPI document refers to."""
    found, pending = set[str](), [part]
    while pending:
        current = pending.pop()
        if isinstance(current, dict):
            pending += current.values()
            if isinstance(reference := current.get("$ref"), str):
                found.add(reference.removeprefix(SCHEMAS))
        elif isinstance(current, list):
            pending += current
    return found


@router.get("/docs/start.js")
async def start() -> Response:
    return Response(START, media_type="text/javascript")


@router.get("/docs/{file}")
async def asset(file: str) -> Response:
    if file not in FILES:
        raise NotFound
    return FileResponse(ASSETS / file)
