"""`gatehouse keys`: API keys."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from gatehouse.cli import parsing
from gatehouse.cli.environment import load_settings
from gatehouse.cli.failure import Failed
from gatehouse.cli.output import print_json, print_table
from gatehouse.cli.stores import api_keys_of, open_database

if TYPE_CHECKING:
    from gatehouse.audit.entry import Action
    from gatehouse.auth.api_keys.record import ApiKey
    from gatehouse.auth.api_keys.store import ApiKeys, CreatedKey, Within

    Audited = Callable[..., Within]  # of an action, with details

Result = TypeVar("Result")

COLUMNS = ("id", "user", "name", "scopes", "expires", "last used", "state")

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
KeyId = Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `keys list` prints it.")]

commands = typer.Typer(help="Make, list, rotate and revoke API keys.", no_args_is_help=True)


@commands.command()
def create(
    tenant: Annotated[str, typer.Option(parser=parsing.name, metavar="T", help="The tenant's id.")],
    user: Annotated[str, typer.Option(parser=parsing.name, metavar="U", help="The user's id.")],
    name: Annotated[
        str | None,
        typer.Option(parser=parsing.name, metavar="N", help="The name that the user is shown by."),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(metavar="S", help="What the key may do: runnable:chat, … or * for all. Repeatable."),
    ] = None,
    expires: Annotated[
        timedelta | None,
        typer.Option(parser=parsing.lifetime, metavar="30d", help="How long it works. Without it: for ever."),
    ] = None,
    plan: Annotated[
        str | None, typer.Option(parser=parsing.plan, metavar="P", help="The plan whose limits hold.")
    ] = None,
    claim: Annotated[
        list[str] | None,
        typer.Option(metavar="K=V", help="What tools are told, as portfolio_id=acme-alice-1. Repeatable."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a key and print it, once: only its hash is kept."""
    scopes, claims = parsing.scopes(scope or []), parsing.claims(claim or [])

    async def make(api_keys: "ApiKeys", audited: "Audited") -> "CreatedKey":
        return await api_keys.create(
            tenant_id=tenant,
            user_id=user,
            name=name or "",
            scopes=scopes,
            expires_at=datetime.now(UTC) + expires if expires else None,
            plan=plan,
            claims=claims,
            within=audited("key.create"),
        )

    show(asyncio.run(with_keys(make)), as_json=as_json)
    if not scopes:
        typer.echo("It has no scope and may call nothing: see --scope.", err=True)


@commands.command(name="list")
def list_keys(
    tenant: Annotated[str | None, typer.Option(metavar="T", help="Only the keys of this tenant.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the keys, the oldest first; expired and revoked ones too. The keys themselves are not known."""

    async def find(api_keys: "ApiKeys", _audited: "Audited") -> "tuple[ApiKey, ...]":
        return await api_keys.list(tenant)

    found = asyncio.run(with_keys(find))
    if as_json:
        print_json([described(key) for key in found])
    elif found:
        print_table(COLUMNS, [row(key) for key in found])
    else:
        print("There is no API key.")


@commands.command()
def rotate(
    key_id: KeyId,
    overlap: Annotated[
        timedelta,
        typer.Option(parser=parsing.duration, metavar="1h", help="How long the old key still works."),
    ] = "1h",  # type: ignore[assignment]  # read by the parser
    as_json: AsJson = False,
) -> None:
    """Make a key that takes over from another: same user, scopes and length of life."""

    async def take_over(api_keys: "ApiKeys", audited: "Audited") -> "CreatedKey":
        within = audited("key.rotate", old=key_id)
        return await api_keys.rotate(key_id, overlap.total_seconds(), within=within)

    show(asyncio.run(with_keys(take_over)), as_json=as_json)


@commands.command()
def revoke(key_id: KeyId) -> None:
    """End a key. Every server refuses it within 5 seconds."""

    async def end(api_keys: "ApiKeys", audited: "Audited") -> None:
        await api_keys.revoke(key_id, within=audited("key.revoke"))

    asyncio.run(with_keys(end))
    print(f"{key_id} is revoked.")


async def with_keys(do: "Callable[[ApiKeys, Audited], Awaitable[Result]]") -> Result:
    """Return what `do` returns: it is given the keys, and what enters a change in the audit log.

    Raises Failed.
    """
    from gatehouse.problems.errors import NotFound

    settings = load_settings()
    async with open_database(settings) as engine:
        api_keys = await api_keys_of(settings, engine)

        def audited(action: "Action", **details: str) -> "Within":
            from gatehouse.audit.api_keys import by_operator

            return by_operator(engine, action, **details)

        try:
            return await do(api_keys, audited)
        except NotFound as error:
            raise Failed(error.detail) from None


def show(created: "CreatedKey", *, as_json: bool) -> None:
    if as_json:
        print_json({"key": created.key, **described(created.record)})
    else:
        print(created.key)
        typer.echo(f"This is key {created.record.id}. It is shown now and never again.", err=True)


def described(key: "ApiKey") -> dict[str, Any]:
    """Return what may be told of a key as JSON; times as ISO 8601."""
    return {
        "id": key.id,
        "tenant_id": key.tenant_id,
        "user_id": key.user_id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "plan": key.plan,
        "claims": dict(key.claims),
        "state": key.state,
        "created_at": moment(key.created_at),
        "expires_at": moment(key.expires_at),
        "revoked_at": moment(key.revoked_at),
        "last_used_at": moment(key.last_used_at),
    }


def row(key: "ApiKey") -> tuple[str, ...]:
    owner = f"{key.user_id} of {key.tenant_id}"
    scopes = " ".join(sorted(key.scopes)) or "none"
    return (key.id, owner, key.name, scopes, day(key.expires_at), day(key.last_used_at), key.state)


def moment(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def day(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M}" if time else "never"
