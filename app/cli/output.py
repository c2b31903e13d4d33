"""How commands print data."""

import json
from collections.abc import Sequence
from typing import Any

NARROWEST = 80  # columns that a table may use where the terminal's width is not known


def print_json(data: Any) -> None:
    """Print one JSON document."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under their columns. No text is cut: piped output is as wide as it has to be."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False, markup=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    if not console.is_terminal:
        console.width = max(NARROWEST, console.measure(table).maximum)
    console.print(table)
