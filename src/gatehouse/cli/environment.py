"""The settings as commands read them."""

import sys
from typing import TYPE_CHECKING, Any

from gatehouse.cli.failure import Failed

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from gatehouse.settings import Settings


def load_settings(**options: Any) -> "Settings":
    """Return the settings; an option that is not None stands above the environment.

    What is logged goes to stderr from then on. Raises Failed, which names the settings that are wrong.
    """
    from pydantic import ValidationError

    from gatehouse.settings import Settings

    configure_logs("warning", pretty=sys.stderr.isatty())
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        faults = "; ".join(fault(details) for details in error.errors())
        raise Failed(f"settings: {faults}") from None
    except UnicodeDecodeError:
        raise Failed("settings: .env is no text of UTF-8: save it as that") from None


def configure_logs(level: str, *, pretty: bool) -> None:
    """Send logs to stderr: a command's output is on stdout."""
    from gatehouse.telemetry.logs import configure_logging

    configure_logging(level, pretty)


def fault(details: "ErrorDetails") -> str:
    """Return which variable is wrong and why. Its value is left out: it may be a secret."""
    from gatehouse.settings.settings import variable

    message = details["msg"].removeprefix("Value error, ")
    if not details["loc"]:
        return message
    name, *inside = map(str, details["loc"])
    return f"{variable(name)}: {'.'.join(inside)}{': ' if inside else ''}{message}"
