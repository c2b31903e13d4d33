"""The demonstration's deployment, as a table of contents. A team writes its own in its place.

`gatehouse serve` and `uvicorn app.main:create_app --factory` both run it.
"""

from collections.abc import Sequence

from fastapi import FastAPI

import gatehouse
from chains.registry import REGISTRY
from gatehouse import Entry, Settings


def create_app(settings: Settings | None = None, registry: Sequence[Entry] | None = None) -> FastAPI:
    """Return the server: Gatehouse's application over what `chains.registry` lists."""
    return gatehouse.create_app(settings, REGISTRY if registry is None else registry)
