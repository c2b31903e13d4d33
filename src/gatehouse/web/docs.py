"""Swagger UI at /docs, from files in the package: works offline and under the strict policy."""

from pathlib import Path

import fastapi_offline
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from gatehouse.problems.errors import NotFound
from gatehouse.services import services_of
from gatehouse.web.dependencies import CurrentPrincipal
from gatehouse.web.middleware.offered import offered

ASSETS = Path(fastapi_offline.__file__).parent / "static"
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


def add_docs(app: FastAPI) -> None:
    """Add /docs and its assets."""

    @app.get("/docs", include_in_schema=False)
    async def page() -> HTMLResponse:
        # Swagger UI sets style attributes; nothing else of the policy is relaxed
        policy = (
            "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'"
        )
        return HTMLResponse(PAGE, headers={"content-security-policy": policy})

    @app.get("/openapi.json", include_in_schema=False)
    async def document(request: Request, principal: CurrentPrincipal) -> JSONResponse:
        services = services_of(request)
        hidden = services.entries.keys() - offered(services.settings, principal, services.entries).keys()
        whole = app.openapi()
        paths = {path: item for path, item in whole["paths"].items() if path.split("/")[1] not in hidden}
        return JSONResponse({**whole, "paths": paths})

    @app.get("/docs/start.js", include_in_schema=False)
    async def start() -> Response:
        return Response(START, media_type="text/javascript")

    @app.get("/docs/{file}", include_in_schema=False)
    async def asset(file: str) -> Response:
        if file not in FILES:
            raise NotFound
        return FileResponse(ASSETS / file)
