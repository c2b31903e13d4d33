"""Where a browser's request comes from: keeps other sites from using a cookie that they cannot read."""

from collections.abc import Collection

from starlette.requests import HTTPConnection

from gatehouse.problems.errors import Forbidden, UnsupportedMediaType

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# A form posts here: signing out needs no body, a file is sent as one. The origin is checked all the same.
FORM_PATHS = frozenset({"/auth/signout", "/api/attachments"})
PORTS = {"http": ":80", "https": ":443"}

CROSS_SITE = "This request came from another site, or from a browser that does not say which."


def is_own_page(connection: HTTPConnection, allowed: Collection[str]) -> bool | None:
    """Tell whether a page of this server, or of an `allowed` origin, sent the request; None: it doesn't say.

    `Sec-Fetch-Site` is the browser's own word, right behind any proxy. `Origin` is what older browsers
    send; "null" (a sandboxed frame, a redirect) is nobody's.
    """
    origins = connection.headers.getlist("origin")
    if len(origins) == 1 and origins[0] in allowed:
        return True
    if sites := connection.headers.getlist("sec-fetch-site"):
        return sites == ["same-origin"]
    return origins == [_own_origin(connection)] if origins else None


def check_forgery(connection: HTTPConnection, allowed: Collection[str]) -> None:
    """Refuse a cookie request that changes something, unless one of our pages sent it as JSON.

    Raises UnsupportedMediaType for a body that a foreign form could send, Forbidden for a foreign origin
    or none.
    """
    if connection.scope["method"] in SAFE_METHODS:
        return
    if media_type(connection) != "application/json" and connection.scope["path"] not in FORM_PATHS:
        raise UnsupportedMediaType
    if not is_own_page(connection, allowed):
        raise Forbidden(CROSS_SITE)


def check_handshake(connection: HTTPConnection, allowed: Collection[str], *, cookie: bool) -> None:
    """Refuse a WebSocket from a page of another site; with a cookie, also one that names no origin.

    CORS does not hold for WebSockets, so nothing else would. Raises Forbidden.
    """
    origins = connection.headers.getlist("origin")
    if not origins and not cookie:
        return  # no browser
    if len(origins) != 1 or origins[0] not in {*allowed, _own_origin(connection)}:
        raise Forbidden(CROSS_SITE)


def media_type(connection: HTTPConnection) -> str:
    """Return the media type of the body in lower case, without parameters; "" when there is none."""
    return connection.headers.get("content-type", "").partition(";")[0].strip().lower()


def _own_origin(connection: HTTPConnection) -> str:
    scheme = connection.scope["scheme"].replace("ws", "http")
    host = connection.headers.get("host", "").lower()
    return f"{scheme}://{host.removesuffix(PORTS[scheme])}"
