"""The keys that tokens are verified with, wherever they come from."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import httpx2

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.tokens.issuer_http import IssuerHttp, IssuerUnreachable, client_options
from gatehouse.auth.tokens.jwks import Freshness, IssuerKeys
from gatehouse.auth.tokens.key_source import check_sources, load_keys
from gatehouse.auth.tokens.keys import KeySet, VerificationKey
from gatehouse.auth.tokens.remote_issuer import RemoteIssuer
from gatehouse.auth.tokens.signed import UnknownKey
from gatehouse.background import in_background
from gatehouse.settings import Settings

Result = TypeVar("Result")


class TokenKeys(Protocol):
    """What verifying needs of keys, be they given or fetched."""

    @property
    def ready(self) -> bool: ...

    @property
    def current(self) -> KeySet: ...

    def find(self, algorithm: str, kid: str | None) -> VerificationKey | None: ...

    async def look_again(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class GivenKeys:
    """Keys of the settings: they do not change."""

    current: KeySet
    ready: bool = True

    def find(self, algorithm: str, kid: str | None) -> VerificationKey | None:
        return self.current.find(algorithm, kid)

    async def look_again(self) -> bool:
        return False


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are taken: their keys, and the issuer on the network where it has a place there."""

    keys: TokenKeys
    remote: RemoteIssuer | None = None


async def with_keys(keys: TokenKeys, read: Callable[[], Result]) -> Result:
    """Return what `read` does; when it misses a key, look for new ones and read again.

    Raises what `read` raises.
    """
    try:
        return read()
    except UnknownKey:
        if not await keys.look_again():
            raise
    return read()


@asynccontextmanager
async def open_issuer(settings: Settings) -> AsyncIterator[Issuer]:
    """Yield the issuer that the settings describe. Keys on the network are fetched in the background.

    Raises BadConfiguration.
    """
    check_sources(settings)
    if not (settings.remote_keys or settings.oidc_client_id):
        yield Issuer(GivenKeys(await asyncio.to_thread(load_keys, settings)))
        return
    async with httpx2.AsyncClient(**client_options()) as client:
        remote = remote_issuer(settings, client)
        if not settings.remote_keys:
            yield Issuer(GivenKeys(await asyncio.to_thread(load_keys, settings)), remote)
            return
        keys = IssuerKeys(remote.fetch_keys, freshness_of(settings))
        async with in_background(issuer_keys=keys.keep()):
            yield Issuer(keys, remote)


def remote_issuer(settings: Settings, client: httpx2.AsyncClient) -> RemoteIssuer:
    """Return the issuer on the network. Raises BadConfiguration when its URLs cannot be used."""
    http = IssuerHttp(client, https_only=not settings.development)
    try:
        if settings.jwks_url is not None:
            http.check(settings.jwks_url)
    except IssuerUnreachable as error:
        raise BadConfiguration(f"GATEHOUSE_JWKS_URL: {error}.") from None
    return RemoteIssuer(http, settings.issuer, settings.jwks_url, settings.jwt_algorithms)


def freshness_of(settings: Settings) -> Freshness:
    return Freshness(settings.jwks_max_age, settings.jwks_stale, settings.jwks_cooldown)
