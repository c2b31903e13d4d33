"""Who is calling, and what of it is believed."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from gatehouse.settings.lists import Names, Texts, parsed, split
from gatehouse.settings.written import WebAddress, has_host

ORIGIN = re.compile(r"https?://[^/?#@\s]+")

Algorithm = Literal[
    "HS256", "HS384", "HS512",
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
    "ES256", "ES384", "ES512", "EdDSA",
]  # fmt: skip


class IdentitySettings(BaseModel):
    """Tokens, API keys, sessions, and signing in at the issuer."""

    issuer: str = Field("gatehouse", description="the only `iss` accepted in a JWT")
    audience: str = Field("gatehouse", description="the `aud` that a JWT must name")
    jwt_secret: SecretStr | None = Field(
        None, description="HS256 secret, at least 32 bytes; generated in development when no key is set"
    )
    jwt_public_key_file: Path | None = Field(None, description="PEM public key for RS*, PS*, ES* or EdDSA")
    jwks_file: Path | None = Field(None, description="JWKS file for RS*, PS*, ES* or EdDSA")
    jwks_url: WebAddress = Field(
        None, description="URL of the issuer's JWKS; without any key set, an https issuer says where it is"
    )
    jwks_max_age: float = Field(
        3600,
        gt=0,
        description="seconds after which fetched keys are fetched again; sooner if the issuer asks",
    )
    jwks_cooldown: float = Field(
        30, gt=0, description="seconds between two fetches, however many tokens name unknown keys"
    )
    jwks_stale: float = Field(
        86_400, ge=0, description="seconds that keys are used beyond their age while the issuer is down"
    )
    jwt_algorithms: Annotated[tuple[Algorithm, ...], NoDecode, BeforeValidator(split)] = Field(
        (),
        description="algorithms accepted, separated by commas; by default those that fit the keys, and "
        "RS256 of RSA keys that name none",
    )
    jwt_leeway: float = Field(30, ge=0, le=60, description="seconds that clocks may differ")
    jwt_max_lifetime: float = Field(86_400, gt=0, description="seconds from iat to exp at most")
    claim_audience: str = Field("aud", description="claim of the audience; Cognito's is client_id")
    claim_user_id: str = Field("sub", description="claim that becomes user_id")
    claim_tenant_id: str = Field("tenant_id", description="claim that becomes tenant_id")
    tenant_id: str | None = Field(None, description="tenant of every token, in place of a claim")
    claim_name: str = Field("name", description="claim that becomes user_name")
    claim_scopes: Texts = Field(
        ("scope", "scopes"), description="claims whose scopes add up, separated by commas"
    )
    scope_prefix: str = Field(
        "", description="what scopes of tokens begin with, as Cognito's gatehouse/: others do not count"
    )
    claim_plan: str = Field("plan", description="claim that becomes the plan")
    claims: Names = Field(
        {},
        description="further claims that chains and tools are told, separated by commas: portfolio_id, or "
        "desk=custom:desk where the token calls it otherwise",
    )
    oidc_client_id: str | None = Field(
        None, description="client id for signing in at the issuer (OpenID Connect); none: not offered"
    )
    oidc_client_secret: SecretStr | None = Field(
        None, description="that client's secret; none for a public client"
    )
    oidc_scopes: str = Field("openid profile", description="scopes asked of the issuer, separated by spaces")
    oidc_name: str = Field("", description="name of the issuer on the sign-in page; by default its host")
    oidc_grants: str = Field(
        "", description="scopes of everybody who signs in at the issuer, beside those of the ID token"
    )
    public_url: str | None = Field(
        None, description="https://HOST under which browsers reach this server, for signing in at the issuer"
    )
    api_key_pepper: SecretStr | None = Field(
        None, description="secret that API keys are hashed with; generated in development"
    )
    openwebui_jwt_secret: SecretStr | None = Field(
        None,
        description="FORWARD_USER_INFO_HEADER_JWT_SECRET of an Open WebUI whose users a key with the scope "
        "users:forward speaks for; at least 32 bytes",
    )
    session_lifetime: float = Field(28_800, gt=0, description="seconds that a browser stays signed in")
    start_link: SecretStr | None = Field(
        None, description="one-time token of the sign-in link; `gatehouse serve` makes one in development"
    )

    tenant_runnables: Annotated[dict[str, tuple[str, ...]] | None, NoDecode, BeforeValidator(parsed)] = Field(
        None,
        description='runnables by tenant, as {"acme": ["chat"], "*": ["*"]}; without it every tenant is '
        "offered all; with it, one that is not listed what `*` lists, else none",
    )  # fmt: skip

    @field_validator("public_url")
    @classmethod
    def _origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        origin = value.removesuffix("/")
        if not (ORIGIN.fullmatch(origin) and has_host(origin)):
            raise ValueError("GATEHOUSE_PUBLIC_URL has to be https://HOST, without a path")
        return origin

    @property
    def fixed_keys(self) -> bool:
        """Whether the keys of tokens are given, rather than fetched from the issuer."""
        sources = (self.jwt_secret, self.jwt_public_key_file, self.jwks_file)
        return any(source is not None for source in sources)
