"""Writes `frontend/openapi.json`: `.venv/bin/python -m gatehouse.cli.openapi > frontend/openapi.json`."""

import json

from gatehouse.main import create_app
from gatehouse.settings import Settings


def openapi_document() -> str:
    """Return the OpenAPI document as JSON, without the registry's routes: a new runnable changes no type."""
    app = create_app(Settings(_env_file=None), registry=())
    document = {**app.openapi(), "info": {"title": "Gatehouse", "version": "0"}}
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    print(openapi_document(), end="")
