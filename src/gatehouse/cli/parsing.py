"""What options hold, read from their text. What cannot be read is bad usage: exit code 2."""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import typer

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
DURATION = re.compile(r"(\d{1,9})([smhd])")
LONGEST = timedelta(days=3650)
SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")  # a scope-token of RFC 6749 section 3.3
PLAN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
CLAIM = re.compile(r"([a-z][a-z0-9_]{0,63})=(.{1,255})")
# What Gatehouse itself puts into a token
OWN_CLAIMS = frozenset({"aud", "exp", "iat", "iss", "jti", "name", "nbf", "scope", "sub"})


def duration(text: str) -> timedelta:
    """Return `30d`, `12h`, `90m` or `45s` as a length of time, of at most ten years."""
    match = DURATION.fullmatch(text)
    length = timedelta(**{UNITS[match[2]]: int(match[1])}) if match else None
    if length is None or length > LONGEST:
        raise typer.BadParameter(
            f"{text!r} is no duration of at most ten years, such as 30d, 12h, 90m or 45s."
        )
    return length


def lifetime(text: str) -> timedelta:
    """Return a duration that is not zero."""
    length = duration(text)
    if not length:
        raise typer.BadParameter("it would be over at once. Give a duration such as 30d, 12h, 90m or 45s.")
    return length


def scopes(given: Sequence[str]) -> list[str]:
    """Return the scopes, each checked: one that no token could carry would never be granted."""
    for scope in given:
        if not SCOPE.fullmatch(scope):
            raise typer.BadParameter(
                f"{scope!r} is no scope, such as runnable:chat or *.", param_hint="--scope"
            )
    return list(given)


def claims(given: Sequence[str]) -> dict[str, Any]:
    """Return `name=value` texts as claims."""
    from gatehouse.identity.principal import OWN_NAMES

    found: dict[str, Any] = {}
    for text in given:
        match = CLAIM.fullmatch(text)
        if match is None or not text.isprintable():
            raise typer.BadParameter(
                f"{text!r} is no claim, such as portfolio_id=acme-alice-1.", param_hint="--claim"
            )
        if match[1] in OWN_CLAIMS | OWN_NAMES:
            raise typer.BadParameter(f"{match[1]} is set by Gatehouse itself.", param_hint="--claim")
        found[match[1]] = match[2]
    return found


def name(text: str) -> str:
    """Return what may name a tenant or a user: 1 to 255 printable characters."""
    from gatehouse.identity.identifiers import identifier

    try:
        return identifier(text)
    except ValueError as error:
        raise typer.BadParameter(f"{error}.") from None


def plan(text: str) -> str:
    """Return the name of a plan."""
    if not PLAN.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no plan: a name has 1 to 64 of a-z, 0-9, - and _.")
    return text
