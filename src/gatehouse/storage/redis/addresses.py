"""Addresses of servers, as URLs that name several of them have them."""

from urllib.parse import urlsplit

Address = tuple[str, int]


def addresses_in(netloc: str, port: int) -> tuple[str, tuple[Address, ...]]:
    """Return the login and the addresses of `login@host:port,host2`; `port` where none is given.

    Raises ValueError.
    """
    login, _, hosts = netloc.rpartition("@")
    return login, tuple(_address(host, port) for host in hosts.split(",") if host)


def netloc_of(login: str, address: Address) -> str:
    """Return a URL's part that names one server."""
    host, port = address
    server = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{login}@{server}" if login else server


def _address(text: str, port: int) -> Address:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError("a server has no host")
    return parts.hostname, parts.port or port
