"""Which view shows the answers, by the options and by where the output goes."""

import os
import sys
from collections.abc import Callable

from gatehouse.cli.chat.view import JsonLines, Piped, Quiet, View


def views(prefix: str, *, no_color: bool, as_json: bool, quiet: bool) -> Callable[[], View]:
    """Return what makes the view of one answer."""
    if as_json:
        return JsonLines
    if quiet:
        return Quiet
    if not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return lambda: Piped(prefix)
    from rich.console import Console

    from gatehouse.cli.chat.screen import Screen

    # None leaves it to NO_COLOR
    console = Console(no_color=no_color or None, highlight=False, markup=False, emoji=False)
    return lambda: Screen(console, prefix)
