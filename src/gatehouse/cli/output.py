"""How commands print data."""

import json
import sys
from collections.abc import Sequence
from typing import Any

WIDEST = 10_000  # columns of output that goes to a file or a pipe: no line is broken


def print_json(data: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their columns. No text is cut: on a terminal a long one goes on below."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else WIDEST
    Console(width=width, highlight=False, markup=False).print(table)
