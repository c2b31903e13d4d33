"""Where a browser goes after signing in: never to another site."""

import re
from urllib.parse import quote

from starlette.types import Scope

# One slash, then no second one, nor a backslash, which browsers read as a slash. Browsers drop tabs and
# newlines before they parse, so control characters anywhere could hide a second slash.
OWN_PATH = re.compile(r"/(?![/\\])[^\\\x00-\x20\x7f]*")
HOME = "/"


def safe_destination(wanted: str | None) -> str:
    """Return `wanted` when it is a path on this server, else the home page."""
    return wanted if wanted and OWN_PATH.fullmatch(wanted) else HOME


def signin_for(scope: Scope) -> str:
    """Return the sign-in page's path and query, from which a browser comes back to the page it asked for."""
    if scope["method"] != "GET":
        return "/signin"
    query = scope["query_string"].decode("latin-1")
    wanted = safe_destination(quote(scope["path"]) + (f"?{query}" if query else ""))
    return "/signin" if wanted == HOME else f"/signin?next={quote(wanted, safe='/')}"
