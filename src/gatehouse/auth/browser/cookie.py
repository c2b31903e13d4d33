"""The session cookie."""

import re

from starlette.requests import HTTPConnection
from starlette.responses import Response

from gatehouse.settings import Settings

# A browser takes a __Host- cookie only over https, for this host alone and the whole of it
HOST_PREFIX = "__Host-"
SECURE_NAME = f"{HOST_PREFIX}gatehouse"
PLAIN_NAME = "gatehouse"
LOCAL_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?", re.IGNORECASE)


def cookie_name(connection: HTTPConnection, settings: Settings) -> str:
    """Return the cookie's name: a plain one for a development server on http://localhost.

    There Safari keeps no Secure cookie. Anywhere else a session does not travel without TLS.
    """
    plain = (
        settings.development
        and connection.scope["scheme"] in ("http", "ws")
        and LOCAL_HOST.fullmatch(connection.headers.get("host", ""))
    )
    return PLAIN_NAME if plain else SECURE_NAME


def cookies_named(connection: HTTPConnection, name: str) -> list[str]:
    """Return the value of every cookie with this name: a browser may send several, for other paths."""
    pairs = ";".join(connection.headers.getlist("cookie")).split(";")
    named = (pair.partition("=") for pair in pairs)
    return [value.strip() for key, _, value in named if key.strip() == name]


def set_cookie(response: Response, name: str, token: str, lifetime: float) -> None:
    """Give the browser its session for `lifetime` seconds."""
    response.set_cookie(
        name, token, max_age=int(lifetime), secure=name.startswith(HOST_PREFIX), httponly=True, samesite="lax"
    )


def clear_cookie(response: Response, name: str) -> None:
    """Take the session from the browser."""
    response.delete_cookie(name, secure=name.startswith(HOST_PREFIX), httponly=True, samesite="lax")
