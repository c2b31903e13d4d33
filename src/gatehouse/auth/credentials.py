"""Finds the one credential that a request carries."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import unquote_plus

from starlette.requests import HTTPConnection

from gatehouse.auth.api_keys.format import PREFIX
from gatehouse.auth.browser.cookie import cookie_name, cookies_named
from gatehouse.auth.browser.tickets import PARAMETER
from gatehouse.problems.errors import BadRequest
from gatehouse.settings import Settings

# A browser cannot set headers on a WebSocket, so its token travels as an offered subprotocol
SUBPROTOCOL = "base64url.bearer.authorization.gatehouse."

OPENAI = "/v1/"  # what the paths of OpenAI's wires begin with
MCP = "/mcp"  # a resource of its own to an issuer (RFC 8707)

TWO_CREDENTIALS = "Send one credential: a Bearer token, or an x-api-key header, a session cookie or a ticket."


@dataclass(frozen=True, slots=True)
class Presented:
    """A credential as it came in, not yet verified."""

    kind: Literal["jwt", "api_key", "session", "ticket"]
    text: str = field(repr=False)
    cookie: str | None = field(default=None, repr=False)  # the session cookie that came with a ticket


def find_credential(connection: HTTPConnection, settings: Settings) -> Presented | None:
    """Return the credential of a request, None when it has none.

    Raises BadRequest when there are two, be they equal or of different kinds. A cookie beside a header
    counts too: who is calling is not to depend on which of two this server happens to prefer. A browser
    sends its cookie along with every ticket, so these two count as one if they are the same session's.
    """
    found = _in_headers(connection, settings)
    for offered in connection.get("subprotocols", ()):
        if _is_token(offered):
            found.append(Presented("jwt", _decoded(offered)))
    if connection.scope["query_string"]:
        found += [Presented("ticket", value) for value in connection.query_params.getlist(PARAMETER)]
    match found:
        case [Presented("session") as session, Presented("ticket") as ticket]:
            return replace(ticket, cookie=session.text)
    if len(found) > 1:
        raise BadRequest(TWO_CREDENTIALS)
    return found[0] if found else None


def without_ticket(query_string: bytes) -> bytes:
    """Return the query but for its tickets: from here on they are in no log, redirect or parameter."""
    parts = query_string.split(b"&")
    return b"&".join(
        part for part in parts if unquote_plus(part.partition(b"=")[0].decode("latin-1")) != PARAMETER
    )


def without_tokens(subprotocols: Iterable[str]) -> list[str]:
    """Return the subprotocols but those that carry a token, so that none is echoed to the client."""
    return [offered for offered in subprotocols if not _is_token(offered)]


def _in_headers(connection: HTTPConnection, settings: Settings) -> list[Presented | None]:
    """Return what the header fields present. They are read as they came: every request passes here."""
    found: list[Presented | None] = []
    has_cookie = False
    for name, value in connection.scope["headers"]:
        if name == b"authorization":
            found.append(_bearer(value.decode("latin-1"), connection.scope["path"]))
        elif name == b"x-api-key":
            found.append(Presented("api_key", value.decode("latin-1")))
        elif name == b"cookie":
            has_cookie = True
    if has_cookie:
        cookies = cookies_named(connection, cookie_name(connection, settings))
        found += [Presented("session", value) for value in cookies]
    return found


def _bearer(authorization: str, path: str) -> Presented | None:
    """Return the token of an Authorization header, None for a scheme that is not served (RFC 6750, 3.1).

    OpenAI's clients have no other place for an API key: under their paths it may be one, told by its form.
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return None
    token = token.strip()
    is_key = path.startswith(OPENAI) and token.startswith(PREFIX)
    return Presented("api_key" if is_key else "jwt", token)


def _is_token(subprotocol: str) -> bool:
    return subprotocol.startswith(SUBPROTOCOL)


def _decoded(subprotocol: str) -> str:
    encoded = subprotocol.removeprefix(SUBPROTOCOL)
    try:
        return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    except ValueError:
        return ""  # refused as any other bad token
