"""JSON Web Tokens as credentials (RFC 7519, 8725, 9068)."""

from typing import Self

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.tokens.claim_names import ClaimNames, claim_names
from gatehouse.auth.tokens.claims import principal_of
from gatehouse.auth.tokens.key_source import load_keys
from gatehouse.auth.tokens.signed import Expected, Finds, signed_claims, verified
from gatehouse.identity.principal import Principal
from gatehouse.settings import Settings

TYPES = frozenset({"jwt", "at+jwt"})  # RFC 9068 section 2.1
REQUIRED = ("iss", "exp", "iat")


class JwtVerifier:
    """Verifies the access tokens of one issuer for one audience, or for a resource of ours beside it."""

    def __init__(
        self,
        keys: Finds,
        *,
        issuer: str,
        audience: str,
        leeway: float,
        max_lifetime: float,
        names: ClaimNames | None = None,
        resource: str | None = None,
    ) -> None:
        """`leeway` and `max_lifetime` are in seconds. `resource` is the one that is called (RFC 8707), whose
        own tokens are taken too. Raises BadConfiguration for an empty name.
        """
        if not (issuer and audience):
            raise BadConfiguration("GATEHOUSE_ISSUER and GATEHOUSE_AUDIENCE must not be empty.")
        self._keys = keys
        self._audiences = [audience] if resource is None else [audience, resource]
        self._max_lifetime = max_lifetime
        self._names = names or ClaimNames()
        by_aud = self._names.audience.is_plain("aud")
        plain = [name for name, wanted in (("aud", by_aud), ("sub", self._names.by_sub)) if wanted]
        self._expected = Expected(
            issuer,
            self._audiences if by_aud else None,
            TYPES,
            (*REQUIRED, *plain),
            leeway,
        )

    @classmethod
    def from_settings(
        cls, settings: Settings, keys: Finds | None = None, resource: str | None = None
    ) -> Self:
        """Return the verifier that the settings describe, with these keys or those of its key files.

        Blocks on the disk for the latter. Raises BadConfiguration.
        """
        return cls(
            load_keys(settings) if keys is None else keys,
            issuer=settings.issuer,
            audience=settings.audience,
            leeway=settings.jwt_leeway,
            max_lifetime=settings.jwt_max_lifetime,
            names=claim_names(settings),
            resource=resource,
        )

    def verify(self, token: str) -> Principal:
        """Return whom the token names. Raises InvalidCredential for anything that is wrong with it.

        That is UnknownKey when no key fits: with keys of the network there may be a new one. Raises
        Unavailable when those are not at hand.
        """
        return verified(lambda: self._read(token))

    def _read(self, token: str) -> Principal:
        claims = signed_claims(token, self._keys, self._expected)
        if self._expected.audience is None:
            self._names.check_audience(claims, self._audiences)
        return principal_of(claims, token, self._max_lifetime, self._names)
