"""The `gatehouse` command. Commands import what is heavy when they run, so that `--help` is quick."""

import gc
from importlib.metadata import version as version_of
from typing import Annotated

import typer

from gatehouse.cli import chat, database, erase, keys, routes, token
from gatehouse.cli.doctor.command import doctor as doctor_command
from gatehouse.cli.failure import Commands
from gatehouse.cli.project import k8s, new
from gatehouse.cli.serving import serve

gatehouse = typer.Typer(
    name="gatehouse",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def show_version(asked: bool) -> None:
    """Print which release this is, and exit, when it is asked for."""
    if asked:
        typer.echo(f"gatehouse {version_of('gatehouse-server')}")
        raise typer.Exit


@gatehouse.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.")
    ] = False,  # read by Commands
    version: Annotated[
        bool,
        typer.Option(
            "--version", "-V", callback=show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Serve LangChain runnables to the authenticated user.

    Settings come from the environment and from `.env`. Exit codes: 0 it was done, 1 it failed, 2 the
    command was not understood; `gatehouse chat` has more of them.
    """


gatehouse.command()(serve.serve)
gatehouse.command()(chat.chat)
gatehouse.command()(new.new)
gatehouse.command()(k8s.k8s)
gatehouse.add_typer(keys.commands, name="keys")
gatehouse.command()(erase.erase)
gatehouse.command()(token.token)
gatehouse.command()(routes.routes)
gatehouse.add_typer(database.commands, name="db")
gatehouse.command()(doctor_command)


def main() -> None:
    """Run the command line of this process and exit."""
    gc.set_threshold(100_000)  # imports make what stays
    gc.enable()
    gatehouse(prog_name="gatehouse")
