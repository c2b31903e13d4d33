"""Decides who is calling: the one place that knows every kind of credential."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import HTTPConnection

from gatehouse.auth.api_keys.format import PREFIX
from gatehouse.auth.api_keys.store import ApiKeys
from gatehouse.auth.browser.origin import check_forgery, check_handshake
from gatehouse.auth.browser.sessions import Sessions, session_id
from gatehouse.auth.browser.start_link import StartLink
from gatehouse.auth.browser.tickets import Tickets
from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.credentials import MCP, OPENAI, TWO_CREDENTIALS, Presented, find_credential
from gatehouse.auth.forwarded import ForwardedUsers
from gatehouse.auth.oidc.oidc import Oidc, open_oidc
from gatehouse.auth.standing import CredentialStanding
from gatehouse.auth.tokens.access import AccessTokens, access_tokens
from gatehouse.auth.tokens.issuer_keys import Issuer
from gatehouse.auth.tokens.revoked import RevokedTokens
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import BadRequest, InvalidCredential, Unauthenticated, Unavailable
from gatehouse.settings import Settings

log = structlog.get_logger(__name__)

START_LINK_CHARACTERS = 16


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Turns credentials into principals."""

    settings: Settings
    tokens: AccessTokens
    tokens_of_mcp: AccessTokens
    api_keys: ApiKeys
    sessions: Sessions
    start_link: StartLink
    tickets: Tickets
    revoked: RevokedTokens
    oidc: Oidc | None
    forwarded: ForwardedUsers

    @property
    def standing(self) -> CredentialStanding:
        """What tells whether a credential that was verified before still holds."""
        return CredentialStanding(self.api_keys, self.sessions, self.revoked)

    @asynccontextmanager
    async def tended(self) -> AsyncIterator[None]:
        """Have what belongs to credentials go on in the background while the context is open."""
        async with self.api_keys.upkeep.going_on(), self.revoked.followed():
            yield

    async def authenticate(self, connection: HTTPConnection) -> Principal:
        """Return who sent this request or opens this WebSocket.

        Raises Unauthenticated without a credential, BadRequest with two, InvalidCredential for a bad
        one, Forbidden or UnsupportedMediaType when another site may have made the browser send it, and
        Unavailable when the credential cannot be looked up.
        """
        presented = find_credential(connection, self.settings)
        if presented is None:
            raise Unauthenticated
        by_cookie = presented.kind == "session" or presented.cookie is not None
        if connection.scope["type"] == "websocket":
            check_handshake(connection, self.settings.page_origins, cookie=by_cookie)
        elif by_cookie:
            check_forgery(connection, self.settings.page_origins)
        with lookup():
            try:
                if presented.kind == "ticket":
                    return await self._redeem_ticket(presented, connection.scope["path"])
                principal = await self._verify(presented, connection.scope["path"])
                return self._asking(principal, presented, connection)
            except InvalidCredential as error:
                error.credential = presented.kind
                raise

    def _asking(self, principal: Principal, presented: Presented, connection: HTTPConnection) -> Principal:
        """Return who asks: under OpenAI's paths a key may speak for others."""
        if presented.kind == "api_key" and connection.scope["path"].startswith(OPENAI):
            return self.forwarded.asking(principal, connection)
        return principal

    async def accept(self, text: str) -> Principal:
        """Return whom an API key or a token names, where one field takes either: the sign-in page.

        Raises InvalidCredential, or Unavailable when it cannot be looked up.
        """
        with lookup():
            return await self._verify(Presented("api_key" if text.startswith(PREFIX) else "jwt", text))

    async def redeem(self, link: str) -> Principal:
        """Return whom the start link signs in, once. Raises InvalidCredential from then on; Unavailable."""
        with lookup():
            principal = await self.start_link.redeem(link)
        if principal is None:
            raise InvalidCredential
        return principal

    async def _verify(self, presented: Presented, path: str = "") -> Principal:
        if presented.kind == "jwt":
            tokens = self.tokens_of_mcp if path == MCP else self.tokens
            return await self._unrevoked(await tokens.verify(presented.text))
        if presented.kind == "api_key":
            return await self.api_keys.verify(presented.text)
        return await self._resume(presented.text)

    async def _resume(self, token: str) -> Principal:
        session = await self.sessions.find(token)
        if session is None:
            raise InvalidCredential
        return await self._unrevoked(session.principal)

    async def _redeem_ticket(self, presented: Presented, path: str) -> Principal:
        principal = await self.tickets.redeem(presented.text, path)
        if principal is None or not await self.standing.credential_valid(principal):
            raise InvalidCredential(principal)
        if presented.cookie is not None and session_id(presented.cookie) != principal.credential_id:
            raise BadRequest(TWO_CREDENTIALS)
        return principal

    async def _unrevoked(self, principal: Principal) -> Principal:
        if not await self.standing.is_not_revoked(principal):
            raise InvalidCredential(principal)
        return principal


async def open_authenticator(
    settings: Settings, engine: AsyncEngine, redis: Redis, issuer: Issuer | None = None
) -> Authenticator:
    """Return the authenticator that the settings describe, with the start link registered.

    Without an `issuer` tokens are verified with the keys that the settings give. Raises BadConfiguration
    when keys, secrets or the start link cannot work.
    """
    tokens = await asyncio.to_thread(access_tokens, settings, issuer)
    of_mcp = await asyncio.to_thread(access_tokens, settings, issuer, resource_of_mcp(settings))
    api_keys = await asyncio.to_thread(ApiKeys.from_settings, settings, engine)
    start_link = StartLink(redis)
    if settings.start_link is not None:
        token = settings.start_link.get_secret_value()
        check_start_link(token, development=settings.development)
        await start_link.register(token)
    sessions = Sessions(redis, settings.session_lifetime)
    oidc = await asyncio.to_thread(open_oidc, settings, issuer, redis, sessions)
    forwarded = ForwardedUsers.from_settings(settings)
    revoked = RevokedTokens(redis, engine, settings.jwt_max_lifetime + settings.jwt_leeway)
    return Authenticator(
        settings, tokens, of_mcp, api_keys, sessions, start_link, Tickets(redis), revoked, oidc, forwarded
    )


def resource_of_mcp(settings: Settings) -> str | None:
    """Return what an issuer calls `/mcp`; None while only requests say what this server's address is."""
    return f"{settings.public_url}{MCP}" if settings.public_url else None


def check_start_link(token: str, *, development: bool) -> None:
    """Raise BadConfiguration for a start link that can be guessed, or that opens a production server."""
    if not development:
        raise BadConfiguration("GATEHOUSE_START_LINK signs in without a key: it is for development only.")
    if len(token) < START_LINK_CHARACTERS:
        raise BadConfiguration(
            f"GATEHOUSE_START_LINK has {len(token)} characters and {START_LINK_CHARACTERS} are needed: "
            "make one with `openssl rand -hex 32`."
        )


@contextmanager
def lookup() -> Iterator[None]:
    """Turn a database or Redis that cannot be asked into a 503: who is calling is not known, so nobody is."""
    try:
        yield
    except (SQLAlchemyError, RedisError, OSError) as error:
        log.warning("credentials cannot be looked up", reason=type(error).__name__)
        raise Unavailable("Credentials cannot be checked now. Try again later.") from error
