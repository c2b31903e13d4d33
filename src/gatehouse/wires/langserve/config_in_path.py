"""A config in a path, as LangServe's playground shares it and asks schemas by it: `/chat/c/HASH/invoke`."""

from collections.abc import Iterable
from typing import Any

import orjson
from langserve.lzstring import LZString
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gatehouse.problems.errors import BadRequest
from gatehouse.registry.entry import Entry
from gatehouse.registry.offered import runnable_under

HASH = "gatehouse.config_hash"  # in a request's scope
SEGMENT = "/c/"
MOST_CHARACTERS = 2000  # of them come at most a megabyte of text: what compresses grows with their square


class TakeConfigOutOfPath:
    """Hands on a request without the config in its path, so that all that knows paths knows no other.

    What the config says counts, and is checked, as that of a body (`gatehouse.wires.langserve.bodies`).
    """

    def __init__(self, app: ASGIApp, entries: Iterable[Entry]) -> None:
        self.app = app
        self.takes = {entry.name: "config_hashes" in entry.endpoints for entry in entries}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and SEGMENT in scope["path"]:
            scope = self.without(scope)
        await self.app(scope, receive, send)

    def without(self, scope: Scope) -> Scope:
        """Return the scope as it would be without a config in its path."""
        name = runnable_under(scope["path"], self.takes)
        path = f"/{name}"
        rest = scope["path"].removeprefix(path)
        if name is None or not (rest.startswith(SEGMENT) and self.takes[name]):
            return scope
        config_hash, slash, endpoint = rest.removeprefix(SEGMENT).partition("/")
        plain = f"{path}{slash}{endpoint}"
        return {**scope, "path": plain, "raw_path": plain.encode(), HASH: config_hash}


def config_in_path(request: Request) -> Any:
    """Return the JSON of the config in a request's path, None without one. Raises BadRequest."""
    config_hash = request.scope.get(HASH)
    if config_hash is None:
        return None
    try:
        if len(config_hash) > MOST_CHARACTERS:
            raise ValueError
        return orjson.loads(LZString.decompressFromEncodedURIComponent(config_hash))  # type: ignore[no-untyped-call]
    except Exception:  # LangServe's decoder says nothing of what it raises; it is an index gone wrong, mostly
        raise BadRequest("The config in the path cannot be read.") from None
