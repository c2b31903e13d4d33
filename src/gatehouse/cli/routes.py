"""`gatehouse routes`: what the server answers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.environment import load_settings
from app.cli.failure import Failed
from app.cli.output import print_json, print_table

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.routing import RouteContext

PUBLIC = "public"
SIGNED_IN = "signed in"


def routes(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List every route: methods, path, and what a caller needs.

    "public" needs no credential; "signed in" any credential, and to start a run also the scope of its
    runnable; else the named scope. Nothing is opened for it: no database, Redis or model.
    """
    settings = load_settings()
    from app.main import create_app
    from chains.registry import BadRegistry

    try:
        app = create_app(settings)
    except BadRegistry as error:
        raise Failed(f"registry: {error}") from None
    found = sorted(set(described(app)))
    if as_json:
        print_json(
            [{"methods": methods.split(), "path": path, "needs": needs} for path, methods, needs in found]
        )
    else:
        print_table(("methods", "path", "needs"), [(methods, path, needs) for path, methods, needs in found])


def described(app: "FastAPI") -> Iterator[tuple[str, str, str]]:
    """Yield path, methods and need of every route; a WebSocket's method is WEBSOCKET."""
    from fastapi.routing import iter_route_contexts

    for route in iter_route_contexts(app.routes):
        methods = " ".join(sorted(route.methods or {"WEBSOCKET"}))
        yield str(route.path), methods, need(route)


def need(route: "RouteContext") -> str:
    from app.auth.public import PUBLIC as EVERYBODY
    from chains.registry import REGISTRY

    for entry in REGISTRY:
        if str(route.path).startswith(f"{entry.path}/"):
            return entry.required_scope
    methods: Any = route.methods or ()
    pattern = route.path_regex
    if any(method in methods and pattern.fullmatch(path) for method, path in EVERYBODY):
        return PUBLIC
    return SIGNED_IN
