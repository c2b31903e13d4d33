"""The deployment, for a server of your own: `uvicorn app.main:create_app --factory`. `gatehouse serve` is as good."""

from collections.abc import Sequence

import gatehouse
from fastapi import FastAPI
from gatehouse import Entry, Settings

from chains.registry import REGISTRY


def create_app(settings: Settings | None = None, registry: Sequence[Entry] | None = None) -> FastAPI:
    """Return the server: Gatehouse's application over what `chains.registry` lists."""
    return gatehouse.create_app(settings, REGISTRY if registry is None else registry)
