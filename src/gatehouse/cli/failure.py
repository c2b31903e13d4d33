"""How a command fails: one line on stderr, and exit code 1, or what its error says."""

from typing import Any, ClassVar

import typer
from typer.core import TyperGroup


class Failed(Exception):
    """What was asked for could not be done; the message says why, and how to mend it."""

    exit_code: ClassVar[int] = 1


class Commands(TyperGroup):
    """The root of the commands, and the one place that turns what they raise into an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (typer.TyperException, typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if ctx.params["debug"]:
                raise
            typer.echo(f"gatehouse: {error if isinstance(error, Failed) else unforeseen(error)}", err=True)
            raise typer.Exit(error.exit_code if isinstance(error, Failed) else 1) from None


def unforeseen(error: Exception) -> str:
    """Return one line about an error that no command names, without secrets."""
    from gatehouse.telemetry.redaction import redact

    text = redact(" ".join(str(error).split()))
    return f"{type(error).__name__}: {text} (gatehouse --debug … shows where)"
