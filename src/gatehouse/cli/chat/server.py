"""Which server `gatehouse chat` talks to, and as whom."""

import json
import os
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer

from gatehouse.cli.chat.exits import NoCredential
from gatehouse.cli.failure import Failed

if TYPE_CHECKING:
    import httpx2

    from gatehouse.settings import Settings

KEY_PREFIX = "gh_"  # what else is given is a token of the issuer
LONGEST_KEY = 8192  # characters
CONNECT_SECONDS = 10
SILENT_SECONDS = 45  # three of the server's heartbeats


@dataclass(frozen=True, slots=True)
class Server:
    """`url` has no slash at its end; `key` is an API key or a JWT."""

    url: str
    key: str = field(repr=False)

    def client(self) -> "httpx2.AsyncClient":
        """Return a client that is signed in, and gives a silent server up after 45 s."""
        import httpx2

        header = {"x-api-key": self.key}
        if not self.key.startswith(KEY_PREFIX):
            header = {"authorization": f"Bearer {self.key}"}
        return httpx2.AsyncClient(
            base_url=self.url,
            headers={"user-agent": "gatehouse-chat", **header},
            timeout=httpx2.Timeout(CONNECT_SECONDS, read=SILENT_SECONDS),
            trust_env=not on_this_machine(self.url),  # a proxy of the environment does not lead to it
        )


def server_of(url: str | None, key_file: Path | None) -> Server:
    """Return the server of the options; by default the one that this folder's settings start.

    Raises Failed, or NoCredential without a credential.
    """
    address = checked_url(url) if url else own_url()
    return Server(address, given_key(key_file) or development_key(address))


def checked_url(text: str) -> str:
    """Return the URL without a slash at its end. Raises BadParameter."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or parts.username is not None or not text.isprintable():
        raise typer.BadParameter("a URL has the form http://HOST:PORT or https://HOST.", param_hint="--url")
    return text.rstrip("/")


def own_url() -> str:
    """Raises Failed where the settings cannot be read."""
    from gatehouse.cli.environment import load_settings
    from gatehouse.cli.serving.banner import url_of

    settings = load_settings()
    return url_of(settings.host, settings.port)


def given_key(file: Path | None) -> str | None:
    """Return the key of the file, else of the environment. Raises Failed for what is no key."""
    source, text = "GATEHOUSE_API_KEY", os.environ.get("GATEHOUSE_API_KEY", "")
    if file is not None:
        source = str(file)
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise Failed(f"the API key cannot be read from {file}: {reason}") from None
    key = text.strip()
    if file is None and not key:
        return None
    if not key or len(key) > LONGEST_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise Failed(f"{source} holds no API key and no token")
    return key


def development_key(url: str) -> str:
    """Return the key of alice, for a development server of this folder. Raises NoCredential.

    It is never sent to another machine.
    """
    if on_this_machine(url) and (key := kept_key()):
        return key
    raise NoCredential(
        "who are you? Set GATEHOUSE_API_KEY, or name a file that holds your key: --api-key-file"
    )


def kept_key() -> str | None:
    from gatehouse.cli.environment import load_settings

    settings: Settings = load_settings()
    if not settings.development:
        return None
    try:
        kept = json.loads((settings.data_dir / "development-keys.json").read_text())
    except (OSError, ValueError):
        return None
    key = kept.get("alice") if isinstance(kept, dict) else None
    return key if isinstance(key, str) else None


def on_this_machine(url: str) -> bool:
    """Tell whether a URL leads to this machine by its address alone."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
