"""What goes wrong where settings are written: quotes that stay, addresses without a scheme, no end."""

import math
import re
from collections.abc import Mapping
from ipaddress import IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

ADDRESS = re.compile(r"https?://[^/?#@\s]+(?:[/?#]\S*)?|https?://[^/?#@\s]+@[^/?#@\s]+(?:[/?#]\S*)?")
HOST = re.compile(r"[\w.-]+|[0-9a-fA-F:.]+(?:%\w+)?")  # a name, or an address of IPv6
CALLS = re.compile(r"/(?:chat/completions|completions|responses)$")
DATABASES = {
    **dict.fromkeys(("postgresql+psycopg", "postgresql", "postgres"), "postgresql+psycopg"),
    **dict.fromkeys(("sqlite+aiosqlite", "sqlite"), "sqlite+aiosqlite"),
}
PORTS = range(1, 65_536)
CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

IPV4_MAPPED = IPv6Network("::ffff:0:0/96")
WIDEST = 7  # bits of fc00::/7, the widest network that is private

KEY_FILE = "-----BEGIN "  # of which it is said elsewhere that it belongs into another setting


def web_address(value: str | None) -> str | None:
    """Return an address of HTTP. Raises ValueError for what is none, unquoted: it may hold a secret."""
    if value is not None and not (ADDRESS.fullmatch(value) and has_host(value)):
        raise ValueError(
            "no address: write http://HOST or https://HOST, with its port and path where it has them"
        )
    return value


def has_host(address: str) -> bool:
    """Tell whether an address has a host that can be one, and a port or none."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        return False
    ends_well = not parts.netloc.endswith(":") and (port is None or port in PORTS)
    return ends_well and bool(parts.hostname and HOST.fullmatch(parts.hostname))


def api_address(value: str | None) -> str | None:
    """Return the address of an API like OpenAI's. Raises ValueError for that of one of its calls, too."""
    address = web_address(value)
    if address is not None and CALLS.search(urlsplit(address).path.rstrip("/")):
        raise ValueError("it is the address of one call: write it up to its version, such as https://HOST/v1")
    return address


def azure_address(value: str | None) -> str | None:
    """Return the address of a resource of Azure's. Raises ValueError for that of one of its deployments."""
    address = web_address(value)
    if address is not None and "/openai/deployments" in address:
        raise ValueError("it is the address of a deployment: write https://RESOURCE.openai.azure.com alone")
    return address


def header_key(value: SecretStr | None) -> SecretStr | None:
    """Return a key that is sent in a header. Raises ValueError for one that no header can have, unquoted."""
    key = value.get_secret_value() if value else ""
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ValueError(
            "no key: it has a blank, or a character that a key cannot have: copy it anew, and nothing else"
        )
    return value


def database_address(value: SecretStr | None) -> SecretStr | None:
    """Return the address of a database with the driver that is used. Raises ValueError, unquoted."""
    if value is None:
        return None
    scheme, found, rest = value.get_secret_value().partition("://")
    driver = DATABASES.get(scheme.lower(), "")
    hosts = rest.partition("/")[0].rpartition("@")[2].partition("?")[0] if driver.startswith("post") else ""
    if not (found and driver) or not all(
        map(has_host, (f"http://{host}" for host in hosts.split(",") if host))
    ):
        raise ValueError(
            "no address of a database: write postgresql+psycopg://USER:PASSWORD@HOST:5432/NAME with what is "
            "special in the password as %XX, or sqlite+aiosqlite:///FILE"
        )
    return SecretStr(f"{driver}://{rest}")


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


def folder(value: Path) -> Path:
    """Return a folder, `~` as the user's own. Raises ValueError for a file."""
    meant = value.expanduser()
    if meant.exists() and not meant.is_dir():
        raise ValueError("it is a file: name a folder, which is made where there is none")
    return meant


def missing_certificates(environment: Mapping[str, str]) -> str | None:
    """Return what is wrong with OpenSSL's own variables, which every client of HTTPS reads."""
    for name, is_there in (("SSL_CERT_FILE", Path.is_file), ("SSL_CERT_DIR", Path.is_dir)):
        if (value := environment.get(name)) and not is_there(Path(value)):
            return f"{name}: there is none: name one that is, or leave the variable out"
    return None


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
ApiAddress = Annotated[str | None, AfterValidator(api_address)]
AzureAddress = Annotated[str | None, AfterValidator(azure_address)]
HeaderKey = Annotated[SecretStr | None, AfterValidator(header_key)]
Folder = Annotated[Path, AfterValidator(folder)]
DatabaseAddress = Annotated[SecretStr | None, AfterValidator(database_address)]
Networks = Annotated[str, AfterValidator(networks)]
