"""The issuer as it is found on the network: its document, and its keys."""

import asyncio
from dataclasses import dataclass
from time import monotonic

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.tokens.discovery import IssuerMetadata, discover
from gatehouse.auth.tokens.issuer_http import IssuerHttp, IssuerUnreachable
from gatehouse.auth.tokens.jwk_set import keys_from_jwks
from gatehouse.auth.tokens.keys import KeySet

METADATA_SECONDS = 3600
FAILURE_SECONDS = 3  # for which a failure is told again, instead of asking an issuer that is down


@dataclass(frozen=True, slots=True)
class FetchedKeys:
    """The issuer's keys, and for how many seconds it says that they hold (None: it doesn't say)."""

    keys: KeySet
    max_age: float | None


class RemoteIssuer:
    """An issuer with an http(s) name."""

    def __init__(
        self, http: IssuerHttp, issuer: str, jwks_url: str | None, algorithms: tuple[str, ...]
    ) -> None:
        """Without `jwks_url` the issuer's document says where the keys are; `algorithms` () are all."""
        self._http = http
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._algorithms = algorithms
        self._lock = asyncio.Lock()
        self._metadata: IssuerMetadata | None = None
        self._failure: IssuerUnreachable | None = None
        self._asked = float("-inf")

    async def metadata(self) -> IssuerMetadata:
        """Return the issuer's document, an hour old at most unless the issuer is down.

        Raises IssuerUnreachable when there never was one.
        """
        async with self._lock:
            if monotonic() - self._asked > (FAILURE_SECONDS if self._failure else METADATA_SECONDS):
                await self._discover()
            if self._metadata is None:
                raise IssuerUnreachable(str(self._failure))
            return self._metadata

    async def fetch_keys(self) -> FetchedKeys:
        """Return the keys that the issuer publishes now. Raises IssuerUnreachable."""
        url = self._jwks_url or (await self.metadata()).jwks_uri
        document = await self._http.get(url)
        try:
            # hundreds of RSA keys fit into a document, and each takes its time to be read
            keys = await asyncio.to_thread(keys_from_jwks, document.body, url, self._algorithms)
        except BadConfiguration as error:
            raise IssuerUnreachable(str(error)) from None
        return FetchedKeys(self._accepted(keys, url), document.max_age)

    def _accepted(self, keys: KeySet, url: str) -> KeySet:
        fitting = keys.keys
        if self._algorithms:
            fitting = tuple(key for key in fitting if key.algorithm in self._algorithms)
        if not fitting:
            raise IssuerUnreachable(f"{url} holds no key for GATEHOUSE_JWT_ALGORITHMS")
        return KeySet(fitting)

    async def _discover(self) -> None:
        try:
            self._metadata = await discover(self._http, self._issuer)
            self._failure = None
        except IssuerUnreachable as error:
            self._failure = error
        self._asked = monotonic()
