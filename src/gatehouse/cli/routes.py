"""`gatehouse routes`: what the server answers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatehouse.cli.environment import load_settings
from gatehouse.cli.failure import Failed
from gatehouse.cli.output import print_json, print_table

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.routing import RouteContext

    from gatehouse.registry.checked import Registry

PUBLIC = "public"
SIGNED_IN = "signed in"


def routes(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List every route: methods, path, and what a caller needs.

    "public" needs no credential; "signed in" any credential, and to start a run also the scope of its
    runnable; else the named scope. Nothing is opened for it: no database, Redis or model.
    """
    settings = load_settings()
    from gatehouse.main import create_app
    from gatehouse.registry.checked import BadRegistry
    from gatehouse.registry.loading import load_registry

    try:
        registry = load_registry(settings.registry)
    except BadRegistry as error:
        raise Failed(f"registry: {error}") from None
    found = sorted(set(described(create_app(settings, registry.entries), registry)))
    if as_json:
        print_json(
            [{"methods": methods.split(), "path": path, "needs": needs} for path, methods, needs in found]
        )
    else:
        print_table(("methods", "path", "needs"), [(methods, path, needs) for path, methods, needs in found])


def described(app: "FastAPI", registry: "Registry") -> Iterator[tuple[str, str, str]]:
    """Yield path, methods and need of every route; a WebSocket's method is WEBSOCKET."""
    from fastapi.routing import iter_route_contexts

    for route in iter_route_contexts(app.routes):
        methods = " ".join(sorted(route.methods or {"WEBSOCKET"}))
        yield str(route.path), methods, need(route, registry)


def need(route: "RouteContext", registry: "Registry") -> str:
    from gatehouse.main import PATHS

    for entry in registry.entries:
        if str(route.path).startswith(f"{entry.path}/"):
            return entry.required_scope
    methods: Any = route.methods or ()
    pattern = route.path_regex
    if any(method in methods and pattern.fullmatch(path) for method, path in PATHS.public):
        return PUBLIC
    return SIGNED_IN
