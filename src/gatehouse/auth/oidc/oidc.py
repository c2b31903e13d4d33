"""Signing in at the issuer (OpenID Connect), as the routes use it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
from redis.asyncio import Redis
from starlette.requests import HTTPConnection

from gatehouse.auth.browser.sessions import OpenedSession, Sessions
from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.oidc.id_token import ClientTokens, IdToken
from gatehouse.auth.oidc.logins import Login, Logins, random_text
from gatehouse.auth.oidc.sessions import OidcSessions
from gatehouse.auth.tokens.claim_names import ClaimNames, claim_names
from gatehouse.auth.tokens.claims import fingerprint, named_principal
from gatehouse.auth.tokens.issuer_http import IssuerUnreachable
from gatehouse.auth.tokens.issuer_keys import Issuer
from gatehouse.auth.tokens.remote_issuer import RemoteIssuer
from gatehouse.auth.tokens.signed import verified
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InvalidCredential, Unavailable
from gatehouse.settings import Settings

if TYPE_CHECKING:
    from gatehouse.auth.oidc.client import OidcClient

log = structlog.get_logger(__name__)

CALLBACK = "/auth/callback"
SIGNED_OUT = "/signin"
ISSUER_DOWN = "The issuer does not answer now. Try again later."


@dataclass(frozen=True, slots=True)
class Answer:
    """What the issuer sent the browser back with (RFC 6749 section 4.1.2, RFC 9207)."""

    state: str
    code: str
    error: str
    issuer: str


@dataclass(frozen=True, slots=True)
class FinishedSignIn:
    session: OpenedSession
    destination: str


@dataclass(frozen=True, slots=True)
class Oidc:
    """Signs people in and out at the issuer. `name` is what the sign-in page calls it."""

    name: str
    issuer: RemoteIssuer
    client: "OidcClient"
    tokens: ClientTokens
    names: ClaimNames
    grants: frozenset[str]
    public_url: str | None
    logins: Logins
    sessions: OidcSessions

    async def begin(self, connection: HTTPConnection, destination: str, browser: str) -> str:
        """Return where the browser goes to sign in; `browser` is its secret. Raises Unavailable."""
        redirect_uri = f"{self._own_url(connection)}{CALLBACK}"
        login = Login(random_text(), random_text(), redirect_uri, destination)
        try:
            metadata = await self.issuer.metadata()
            state = await self.logins.begin(login, browser)
            return self.client.authorization_url(metadata, login, state)
        except IssuerUnreachable as error:
            raise unavailable(error) from None

    async def finish(self, answer: Answer, browser: str) -> FinishedSignIn:
        """Return the session of who signed in. Raises InvalidCredential, Unavailable.

        The answer counts once, and only in the browser that began.
        """
        login = await self.logins.take(answer.state, browser)
        if login is None:
            log.info("sign-in at the issuer refused", reason="no such state in this browser")
            raise InvalidCredential
        try:
            metadata = await self.issuer.metadata()
            # RFC 9207: another issuer's answer is not to be taken to this one's token endpoint
            if answer.issuer != metadata.issuer and (answer.issuer or metadata.names_itself_in_answers):
                log.warning("sign-in at the issuer refused", reason="another issuer answered")
                raise InvalidCredential
            if answer.error:
                log.info("sign-in at the issuer refused", reason=answer.error[:100])
                raise InvalidCredential
            text = await self.client.id_token(metadata, login, answer.code)
        except IssuerUnreachable as error:
            raise unavailable(error) from None
        token = await self.tokens.signed_in(text, login.nonce)
        session = await self.sessions.open(verified(lambda: self._principal(token)), token)
        return FinishedSignIn(session, login.destination)

    async def sign_out(self, logout_token: str) -> None:
        """End the sessions that the issuer says are over. Raises InvalidCredential, Unavailable."""
        await self.sessions.end(await self.tokens.signed_out(logout_token))

    async def sign_out_url(self, connection: HTTPConnection, session_id: str) -> str | None:
        """Return where to sign out at the issuer too, None for a session that did not begin there."""
        hint = await self.sessions.take_hint(session_id)
        if hint is None:
            return None
        try:
            metadata = await self.issuer.metadata()
        except IssuerUnreachable:  # the session here ends all the same
            return None
        return self.client.sign_out_url(metadata, hint, f"{self._own_url(connection)}{SIGNED_OUT}")

    def _principal(self, token: IdToken) -> Principal:
        """The ID token says who it was, once; how long the session lasts is ours to say."""
        credential_id = f"oidc:{fingerprint(token.text)}"
        return named_principal(
            token.claims, self.names, credential_id=credential_id, expires_at=None, grants=self.grants
        )

    def _own_url(self, connection: HTTPConnection) -> str:
        """Return how browsers reach this server: as the setting says, else (in development) as they did."""
        return self.public_url or f"{connection.url.scheme}://{connection.url.netloc}"


def open_oidc(settings: Settings, issuer: Issuer | None, redis: Redis, sessions: Sessions) -> Oidc | None:
    """Return what the settings say of signing in at the issuer, None when it is not offered.

    Reads the trusted roots, so it blocks. Raises BadConfiguration.
    """
    if settings.oidc_client_id is None or issuer is None or issuer.remote is None:
        return None
    from gatehouse.auth.oidc.client import OidcClient  # noqa: PLC0415  # of Authlib, 2 % of a start

    check_oidc(settings, settings.oidc_client_id)
    return Oidc(
        name=settings.oidc_name or str(urlsplit(settings.issuer).hostname),
        issuer=issuer.remote,
        client=OidcClient(settings.oidc_client_id, settings.oidc_client_secret, settings.oidc_scopes),
        tokens=ClientTokens(
            issuer.keys,
            issuer=settings.issuer,
            client_id=settings.oidc_client_id,
            leeway=settings.jwt_leeway,
            max_lifetime=settings.jwt_max_lifetime,
        ),
        names=claim_names(settings),
        grants=frozenset(settings.oidc_grants.split()),
        public_url=settings.public_url,
        logins=Logins(redis),
        sessions=OidcSessions(redis, sessions),
    )


def check_oidc(settings: Settings, client_id: str) -> None:
    """Raise BadConfiguration for settings with which signing in at the issuer cannot work, or is not safe."""
    if not settings.issuer_on_the_web:
        raise BadConfiguration("GATEHOUSE_OIDC_CLIENT_ID needs an https:// GATEHOUSE_ISSUER to sign in at.")
    if settings.jwt_secret is not None:
        raise BadConfiguration(
            "GATEHOUSE_OIDC_CLIENT_ID and GATEHOUSE_JWT_SECRET are set: an issuer to sign in at has keys of "
            "its own, so unset the secret."
        )
    if client_id == settings.audience and settings.claim_audience == "aud":
        raise BadConfiguration(
            "GATEHOUSE_AUDIENCE is the GATEHOUSE_OIDC_CLIENT_ID: ID tokens are made for that audience, and "
            "are no access tokens. Register the API under a name of its own (docs/issuers.md)."
        )
    if "openid" not in settings.oidc_scopes.split():
        raise BadConfiguration("GATEHOUSE_OIDC_SCOPES needs openid: without it there is no ID token.")


def unavailable(error: IssuerUnreachable) -> Unavailable:
    log.warning("issuer cannot be asked", reason=str(error))
    return Unavailable(ISSUER_DOWN)
