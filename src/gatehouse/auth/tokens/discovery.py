"""What an issuer says of itself (OpenID Connect Discovery 1.0, RFC 8414)."""

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gatehouse.auth.tokens.issuer_http import IssuerHttp, IssuerUnreachable

PATH = "/.well-known/openid-configuration"


class IssuerMetadata(BaseModel):
    """The part of the document that Gatehouse uses. Every URL in it was checked."""

    model_config = ConfigDict(frozen=True)

    issuer: str
    jwks_uri: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    # Entra ID leaves the list out, though it takes S256
    code_challenge_methods_supported: tuple[str, ...] = ("S256",)
    names_itself_in_answers: bool = Field(False, alias="authorization_response_iss_parameter_supported")

    @property
    def urls(self) -> tuple[str, ...]:
        named = (
            self.jwks_uri,
            self.authorization_endpoint,
            self.token_endpoint,
            self.end_session_endpoint,
        )
        return tuple(url for url in named if url is not None)


async def discover(http: IssuerHttp, issuer: str) -> IssuerMetadata:
    """Return what the issuer's document says.

    Raises IssuerUnreachable when there is none, when it is another issuer's (OpenID Connect Discovery
    section 4.3: else one who controls the document could speak for somebody else), or when it names a
    URL that must not be used.
    """
    url = issuer.removesuffix("/") + PATH
    document = await http.get(url)
    try:
        metadata = IssuerMetadata.model_validate_json(document.body)
    except ValidationError:
        raise IssuerUnreachable(f"{url} is not an issuer's document") from None
    if metadata.issuer != issuer:
        raise IssuerUnreachable(
            f"{url} is the document of {metadata.issuer[:200]!r}, and GATEHOUSE_ISSUER is {issuer!r}: "
            "they must be equal to the letter"
        )
    for named in metadata.urls:
        http.check(named)
    return metadata
