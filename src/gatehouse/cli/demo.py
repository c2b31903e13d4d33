"""`gatehouse demo`: customers to try Gatehouse with."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.environment import load_settings
from app.cli.failure import Failed
from app.cli.output import print_json
from app.cli.stores import api_keys_of, open_database

if TYPE_CHECKING:
    from app.cli.demo_keys import DemoKey
    from app.settings import Settings
    from tools.portfolio.seed import SeedResult

commands = typer.Typer(help="Fill a development database with something to try.", no_args_is_help=True)


@commands.callback()
def only_one() -> None:
    """Fill a development database with something to try."""


@commands.command()
def seed(
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing when it was done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Add the demo's customers with their portfolios, and an API key for two of them.

    What is there already stays as it is. The keys are kept in the data folder, so that every start of
    the server can print them. Refused outside development.
    """
    settings = load_settings()
    if not settings.development:
        raise Failed("demo seed is for development: GATEHOUSE_ENVIRONMENT is production")
    seeded, keys = asyncio.run(seed_and_make_keys(settings))
    if as_json:
        print_json(described(seeded, keys))
    elif not quiet:
        print("The demo's customers were added." if seeded.inserted else "The demo's customers are there.")
        for key in keys:
            print(f"{key.customer.user_id} of {key.customer.tenant_id}: {key.key}")


async def seed_and_make_keys(settings: "Settings") -> "tuple[SeedResult, tuple[DemoKey, ...]]":
    """Raises Failed."""
    from app.cli.demo_keys import demo_keys
    from tools.portfolio.seed import seed as seed_portfolios

    async with open_database(settings) as engine:
        seeded = await seed_portfolios(engine)
        api_keys = await api_keys_of(settings, engine)
        return seeded, await demo_keys(api_keys, settings.data_dir)


def described(seeded: "SeedResult", keys: "tuple[DemoKey, ...]") -> dict[str, object]:
    return {
        "inserted": seeded.inserted,
        "customers": [
            {
                "tenant_id": customer.tenant_id,
                "user_id": customer.user_id,
                "name": customer.name,
                "portfolio_id": customer.portfolio_id,
            }
            for customer in seeded.customers
        ],
        "keys": {key.customer.user_id: key.key for key in keys},
    }
