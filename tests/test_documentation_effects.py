"""The blocks of docs/effects.md make the tools that it says."""

import re
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool

from gatehouse import Caller, acts, caller_of, transaction_of
from gatehouse.tools.acting import Acts, declared_by

DOCUMENT = (Path(__file__).parents[1] / "docs" / "effects.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """What the blocks define, one after another, over what a reader has already."""
    found: dict[str, Any] = {
        "Caller": Caller, "RunnableConfig": RunnableConfig, "acts": acts, "caller_of": caller_of,
        "tool": tool, "transaction_of": transaction_of,
        "bookings": sa.table("bookings", sa.column("tenant_id"), sa.column("user_id"), sa.column("seat")),
    }  # fmt: skip
    for block in BLOCKS:
        exec(block, found)  # our own document
    return found


def test_each_way_out_of_unknown_has_its_tool(names: dict[str, Any]) -> None:
    declared = {name: declared_by(names[name]) for name in ("refund", "send_letter", "book")}
    assert declared == {
        "refund": Acts(idempotent=True),
        "send_letter": Acts(check=names["sent"]),
        "book": Acts(transaction=True),
    }
    assert len(BLOCKS) == len(declared)
