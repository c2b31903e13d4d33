"""Origins as browsers send them (RFC 6454 section 6.2), made of what an operator writes."""

import json
from collections.abc import Iterable
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from gatehouse.settings.lists import split

DEFAULT_PORTS = {"http": 80, "https": 443}
LOOPBACK = {"localhost": "localhost", "127.0.0.1": "127.0.0.1", "::1": "[::1]"}  # as in an origin
ANYBODY = frozenset({"*", "null"})  # any page, and any page without an origin of its own


def origins(value: Any) -> Any:
    """Return a list of origins, of a text that commas separate or that is a JSON list. Raises ValueError."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError("it is no JSON list: write origins, separated by commas") from None
    return tuple(origin(text) for text in split(value))


def origin(text: str) -> str:
    """Return an origin as a browser writes it: lower case, without the scheme's own port or a slash.

    Raises ValueError for what is more or less than an origin.
    """
    if text in ANYBODY:
        return text
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise ValueError(f"{text!r} is no origin: write https://HOST, or https://HOST:PORT") from None
    if parts.scheme.lower() not in DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        raise ValueError(f"{text!r} is no origin: write https://HOST, or https://HOST:PORT")
    if "*" in parts.hostname:
        raise ValueError(f"{text!r} has a *: an origin is one host, list each")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError(f"{text!r} has a path: an origin ends with the host or its port")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else in_ascii(parts.hostname)
    return f"{parts.scheme}://{host}" + ("" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}")


def in_ascii(host: str) -> str:
    """Return a host's name in the letters that browsers send it in. Raises ValueError."""
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        raise ValueError(f"{host!r} is no name of a host: write https://HOST, or https://HOST:PORT") from None


def under_every_loopback_name(listed: Iterable[str]) -> tuple[str, ...]:
    """Return the origins, those of this machine under each of its names: people use them as one."""
    known = dict.fromkeys(listed)
    for listed_origin in tuple(known):
        parts = urlsplit(listed_origin)
        if parts.hostname in LOOPBACK:
            port = f":{parts.port}" if parts.port else ""
            known |= dict.fromkeys(f"{parts.scheme}://{host}{port}" for host in LOOPBACK.values())
    return tuple(known)


Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(origins)]
