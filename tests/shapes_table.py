"""The table of docs/extending.md of what is served, written from the tests that prove it.

`python tests/shapes_table.py` writes it anew, after a case was added to `corpus_runnables`.
"""

import sys
from pathlib import Path
from typing import Any

import orjson

sys.path[:0] = [str(Path(__file__).parent / "gatehouse" / "http")]

from corpus_case import Case  # noqa: E402  # where pytest finds it, a program has to look
from corpus_runnables import CORPUS  # noqa: E402

DOCUMENT = Path(__file__).parents[1] / "docs" / "extending.md"
BEGINNING, END = "<!-- shapes: python tests/shapes_table.py -->\n", "<!-- end of shapes -->\n"
WIDEST = 60


def table() -> str:
    """Return the table, a line for each case."""
    heads = ("runnable", "an input", "asked by a text", "what is read of its answer", "`Entry` says")
    rows = [row(name, case) for name, case in CORPUS.items()]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, ["---"] * len(heads), *rows)) + "\n"


def row(name: str, case: Case) -> list[str]:
    says = ", ".join(f"`{field}={shown(value)}`" for field, value in case.entry.items())
    read = "its JSON" if case.text is None else code(case.text) if case.text else "nothing"
    asked = "yes" if case.query is not None else "no"
    return [name.replace("_", " "), code(json(case.value)), asked, read, says]


def json(value: Any) -> str:
    return orjson.dumps(value).decode()


def shown(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)


def code(text: str) -> str:
    whole = " ".join(text.split()).replace("|", "\\|")
    return f"`{whole if len(whole) <= WIDEST else whole[: WIDEST - 1] + '…'}`"


def in_document() -> str:
    """Return the table that the document has."""
    return DOCUMENT.read_text().partition(BEGINNING)[2].partition(END)[0]


if __name__ == "__main__":
    before, _, rest = DOCUMENT.read_text().partition(BEGINNING)
    DOCUMENT.write_text(before + BEGINNING + table() + END + rest.partition(END)[2])
