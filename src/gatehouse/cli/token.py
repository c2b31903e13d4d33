"""`gatehouse token`: the development issuer."""

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from gatehouse.cli import parsing
from gatehouse.cli.environment import load_settings
from gatehouse.cli.failure import Failed
from gatehouse.cli.output import print_json

if TYPE_CHECKING:
    from gatehouse.settings import Settings


def token(
    user: Annotated[str, typer.Option(parser=parsing.name, metavar="U", help="The user's id.")],
    tenant: Annotated[str, typer.Option(parser=parsing.name, metavar="T", help="The tenant's id.")],
    name: Annotated[
        str | None,
        typer.Option(parser=parsing.name, metavar="N", help="The name that the user is shown by."),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="S", help="What the token may do: runnable:chat, … or * for all. Repeatable."),
    ] = None,
    expires: Annotated[
        timedelta, typer.Option(parser=parsing.lifetime, metavar="1h", help="How long it works.")
    ] = "1h",  # type: ignore[assignment]  # read by the parser
    claim: Annotated[
        list[str] | None,
        typer.Option(metavar="K=V", help="A further claim, as portfolio_id=acme-alice-1. Repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Sign a token as the development issuer and print it.

    In production, and where another issuer's keys are configured, tokens come from that issuer.
    """
    scopes, claims = parsing.scopes(scope or []), parsing.claims(claim or [])
    settings = load_settings()
    lifetime = expires.total_seconds()
    refuse_foreign_issuer(settings)
    if lifetime > settings.jwt_max_lifetime:
        most = timedelta(seconds=settings.jwt_max_lifetime)
        raise Failed(f"the server takes tokens of at most {most} (GATEHOUSE_JWT_MAX_LIFETIME)")
    from gatehouse.auth.tokens.issuing import issue_token

    text = issue_token(
        secret_of(settings),
        settings.issuer,
        settings.audience,
        user,
        tenant,
        name or "",
        scopes,
        lifetime,
        claims,
    )
    if as_json:
        print_json({"token": text, "token_type": "Bearer", "expires_in": int(lifetime)})
    else:
        print(text)


def refuse_foreign_issuer(settings: "Settings") -> None:
    """Raises Failed where tokens come from somebody else."""
    if not settings.development:
        raise Failed("token is the development issuer: GATEHOUSE_ENVIRONMENT is production")
    for field in ("jwt_public_key_file", "jwks_file", "jwks_url"):
        if getattr(settings, field) is not None:
            raise Failed(f"tokens come from the issuer of GATEHOUSE_{field.upper()}, who has the private key")
    if settings.remote_keys:
        raise Failed(f"tokens come from {settings.issuer} (GATEHOUSE_ISSUER), who has the private key")
    if settings.jwt_algorithms and "HS256" not in settings.jwt_algorithms:
        raise Failed("the development issuer signs with HS256, which GATEHOUSE_JWT_ALGORITHMS leaves out")


def secret_of(settings: "Settings") -> str:
    """Return the secret that the server verifies with. Raises Failed when it cannot be used."""
    from gatehouse.auth.configuration import BadConfiguration
    from gatehouse.auth.dev_secrets import jwt_secret
    from gatehouse.auth.tokens.key_source import load_keys

    try:
        load_keys(settings)
        return jwt_secret(settings)
    except BadConfiguration as error:
        raise Failed(f"authentication: {error}") from None
