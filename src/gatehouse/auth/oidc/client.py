"""The code flow with PKCE as the issuer sees it (RFC 6749, 7636; OpenID Connect Core 1.0), by Authlib."""

import asyncio
import ssl
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlencode

import httpx2
import structlog
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from pydantic import SecretStr

from gatehouse.auth.oidc.logins import Login
from gatehouse.auth.tokens.discovery import IssuerMetadata
from gatehouse.auth.tokens.issuer_http import SECONDS, IssuerUnreachable, client_options
from gatehouse.problems.errors import InvalidCredential

log = structlog.get_logger(__name__)

IN_BODY = "client_secret_post"  # how the secret is told; else in a Basic header
MAX_CODE = 4096  # characters; Entra ID's have more than a thousand


@dataclass(frozen=True, slots=True)
class OidcClient:
    """This server as a client of the issuer. `tls` is made once: reading the trusted roots takes 20 ms."""

    client_id: str
    secret: SecretStr | None
    scopes: str
    tls: ssl.SSLContext = field(repr=False, default_factory=httpx2.create_ssl_context)

    def authorization_url(self, metadata: IssuerMetadata, login: Login, state: str) -> str:
        """Return where the browser goes to sign in. Raises IssuerUnreachable."""
        if metadata.authorization_endpoint is None or metadata.token_endpoint is None:
            raise IssuerUnreachable(f"{metadata.issuer} names no endpoints for signing in")
        url, _ = self._client(login).create_authorization_url(
            metadata.authorization_endpoint, state, login.verifier, nonce=login.nonce
        )
        return str(url)

    async def id_token(self, metadata: IssuerMetadata, login: Login, code: str) -> str:
        """Return the ID token that a code stands for, as it came.

        Raises InvalidCredential when the issuer takes the code for none, IssuerUnreachable.
        """
        if not 0 < len(code) <= MAX_CODE:
            raise InvalidCredential
        try:
            async with asyncio.timeout(SECONDS), self._confidential(metadata, login) as client:
                token = await client.fetch_token(
                    metadata.token_endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=login.verifier,
                )
        except OAuthError as error:
            log.warning("code refused by the issuer", error=str(error.error)[:100])
            raise InvalidCredential from None
        except (httpx2.HTTPError, OSError, ValueError) as error:  # TimeoutError is an OSError
            raise IssuerUnreachable(
                f"{metadata.token_endpoint} gave no token ({type(error).__name__})"
            ) from None
        text = token.get("id_token")
        if not isinstance(text, str):
            raise IssuerUnreachable(f"{metadata.token_endpoint} gave no ID token: is `openid` in the scopes?")
        return text

    def sign_out_url(self, metadata: IssuerMetadata, id_token: str, back: str) -> str | None:
        """Return where the browser goes to sign out at the issuer too, None where it offers no such page.

        OpenID Connect RP-Initiated Logout 1.0 section 2. `back` has to be registered with the issuer.
        """
        endpoint = metadata.end_session_endpoint
        if endpoint is None:
            return None
        query = urlencode(
            {
                "id_token_hint": id_token,
                "client_id": self.client_id,
                "post_logout_redirect_uri": back,
                "logout_uri": back,  # Amazon Cognito's own name for it
            }
        )
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"

    def _client(self, login: Login, **credentials: str) -> AsyncOAuth2Client:
        return AsyncOAuth2Client(
            **{"client_id": self.client_id, **credentials},
            scope=self.scopes,
            redirect_uri=login.redirect_uri,
            code_challenge_method="S256",
            verify=self.tls,
            **client_options(),
        )

    def _confidential(self, metadata: IssuerMetadata, login: Login) -> AsyncOAuth2Client:
        """Return the client with its secret, told in the way that the issuer takes."""
        if self.secret is None:
            return self._client(login)
        secret = self.secret.get_secret_value()
        if "client_secret_basic" not in metadata.token_endpoint_auth_methods_supported:
            return self._client(login, client_secret=secret, token_endpoint_auth_method=IN_BODY)
        # RFC 6749 section 2.3.1: both are form-encoded before they are joined, which Authlib leaves out
        return self._client(login, client_id=quote_plus(self.client_id), client_secret=quote_plus(secret))
