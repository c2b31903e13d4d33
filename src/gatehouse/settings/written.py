"""What goes wrong where settings are written: quotes that stay, addresses without a scheme, no end."""

import math
import re
from collections.abc import Mapping
from ipaddress import IPv6Network, ip_network
from typing import Annotated, Any

from pydantic import AfterValidator

ADDRESS = re.compile(r"https?://[^/?#@\s]+(?:[/?#]\S*)?|https?://[^/?#@\s]+@[^/?#@\s]+(?:[/?#]\S*)?")
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
WIDEST = 7  # bits of fc00::/7, the widest network that is private

KEY_FILE = "-----BEGIN "  # of which it is said elsewhere that it belongs into another setting


def web_address(value: str | None) -> str | None:
    """Return an address of HTTP. Raises ValueError for what is none, unquoted: it may hold a secret."""
    if value is not None and not ADDRESS.fullmatch(value):
        raise ValueError(
            "no address: write http://HOST or https://HOST, with its port and path where it has them"
        )
    return value


def networks(value: str) -> str:
    """Return addresses and networks that commas separate, or `*`. Raises ValueError."""
    for part in filter(None, map(str.strip, value.split(","))):
        try:
            if part != "*":
                ip_network(part, strict=False)
        except ValueError:
            raise ValueError(
                f"{part!r} is no address or network: write 10.0.0.7 or 10.0.0.0/8, separated by commas"
            ) from None
    return value


def boundless(value: str) -> str | None:
    """Return which of these networks has about everybody in it, None when none has."""
    return next((part for part in filter(None, map(str.strip, value.split(","))) if is_boundless(part)), None)


def is_boundless(part: str) -> bool:
    if part == "*":
        return True
    network = ip_network(part, strict=False)
    of_ipv4 = network.version == IPV4_MAPPED.version and network.subnet_of(IPV4_MAPPED)
    return network.prefixlen - (IPV4_MAPPED.prefixlen if of_ipv4 else 0) < WIDEST


def fault_in(values: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first setting that is written as none can be meant, and what is wrong with it."""
    for name, value in values.items():
        if isinstance(value, str) and (fault := fault_of(value)):
            return name, fault
    return None


def fault_of(text: str) -> str | None:
    """Return what is wrong with how a text is written, None when nothing is."""
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        return "its value is in quotes, which the environment keeps: write it without"
    if text.startswith(KEY_FILE) or not CONTROLS.search(text):
        return None
    return "its value has a line's end or another control character in it"


def endless(values: Mapping[str, Any]) -> list[str]:
    """Return which settings are numbers without end."""
    return [name for name, value in values.items() if isinstance(value, float) and not math.isfinite(value)]


WebAddress = Annotated[str | None, AfterValidator(web_address)]
Networks = Annotated[str, AfterValidator(networks)]
