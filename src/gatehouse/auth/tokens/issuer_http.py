"""How the issuer is asked: within a time and a size, over https, without following redirects."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import httpx2

SECONDS = 4.0  # for a whole exchange: the client's own limit starts anew with every byte
MAX_BYTES = 262_144  # the largest JWKS that we know of has 12 kB
HEADERS = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "gatehouse"}
MAX_AGE = re.compile(r"(?:^|[\s,])max-age=\"?(\d{1,9})(?:\D|$)", re.IGNORECASE)
NOT_KEPT = re.compile(r"(?:^|[\s,])no-(?:store|cache)\b", re.IGNORECASE)


class IssuerUnreachable(Exception):
    """The issuer gave no answer that can be used. The message says why, and holds nothing of the answer."""


@dataclass(frozen=True, slots=True)
class Document:
    """What the issuer publishes, and for how many seconds it says that it holds (None: it doesn't say)."""

    body: bytes
    max_age: float | None


class IssuerHttp:
    """Fetches documents. With `https_only` an http URL is refused."""

    def __init__(self, client: httpx2.AsyncClient, *, https_only: bool) -> None:
        """`client` is one with `client_options`."""
        self._client = client
        self._https_only = https_only

    async def get(self, url: str) -> Document:
        """Return the document at a URL. Raises IssuerUnreachable."""
        self.check(url)
        try:
            async with asyncio.timeout(SECONDS):
                response = await self._client.get(url)
        except TimeoutError:
            raise IssuerUnreachable(f"{url} did not answer within {SECONDS:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise IssuerUnreachable(f"{url} cannot be reached ({type(error).__name__})") from None
        if response.status_code != HTTPStatus.OK:
            raise IssuerUnreachable(f"{url} answered with {response.status_code}")
        return Document(response.content, max_age(response.headers))

    def check(self, url: str) -> None:
        """Raise IssuerUnreachable for a URL that keys or tokens must not travel by."""
        schemes = ("https",) if self._https_only else ("https", "http")
        try:
            parsed = httpx2.URL(url)
        except httpx2.InvalidURL:
            raise IssuerUnreachable("the issuer names a URL that cannot be read") from None
        if parsed.scheme not in schemes or not parsed.host or parsed.userinfo:
            raise IssuerUnreachable(f"{parsed.copy_with(userinfo=b'')} is not a plain {schemes[0]}:// URL")


def client_options() -> dict[str, Any]:
    """Return the options of a client of the issuer, be it httpx's or Authlib's."""
    return {
        "timeout": SECONDS,
        "follow_redirects": False,
        "headers": HEADERS,
        "event_hooks": {"response": [bound]},
    }


async def bound(response: httpx2.Response) -> None:
    """Have the client stop reading an answer that grows too large. Raises IssuerUnreachable."""
    url = response.request.url
    if "content-encoding" in response.headers:  # it could unfold to any size, and none was asked for
        raise IssuerUnreachable(f"{url} answered with a compressed body")
    response.stream = Bounded(cast("httpx2.AsyncByteStream", response.stream), str(url))


class Bounded(httpx2.AsyncByteStream):
    """A body of at most `MAX_BYTES`."""

    def __init__(self, stream: httpx2.AsyncByteStream, url: str) -> None:
        self._stream = stream
        self._url = url

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._stream:
            size += len(part)
            if size > MAX_BYTES:
                raise IssuerUnreachable(f"{self._url} answered with more than {MAX_BYTES} bytes")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


def max_age(headers: httpx2.Headers) -> float | None:
    """Return for how many more seconds an answer holds, None when it does not say (RFC 9111 section 4.2)."""
    control = headers.get("cache-control", "")
    if NOT_KEPT.search(control):
        return 0
    found = MAX_AGE.search(control)
    if found is None:
        return None
    age = headers.get("age", "0").strip()
    return max(0, int(found[1]) - (int(age) if age.isdecimal() and len(age) < 10 else 0))  # noqa: PLR2004
