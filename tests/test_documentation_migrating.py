"""docs/migrating.md and the tables of docs/extending.md say what the code and the tests say."""

import dataclasses
import inspect
import re
from pathlib import Path

from langserve import add_routes
from shapes_table import in_document, table

from gatehouse import Entry
from tests.peers.__main__ import faults
from tests.peers.differences import DIFFERENCES

DOCS = Path(__file__).parents[1] / "docs"
MIGRATING = (DOCS / "migrating.md").read_text()
EXTENDING = (DOCS / "extending.md").read_text()


def test_every_test_that_differs_is_in_the_document_with_its_reason() -> None:
    rows = re.findall(r"^\| `(test_\w+)` \| (.+) \|$", MIGRATING, re.MULTILINE)
    assert rows == [(name.partition("::")[2], reason) for name, reason in DIFFERENCES.items()]
    assert f"{123 - len(DIFFERENCES)} of 123 pass" in MIGRATING


def test_every_option_of_add_routes_is_in_the_document() -> None:
    options = inspect.signature(add_routes).parameters.keys() - {"app", "runnable"}
    assert [name for name in sorted(options) if f"`{name}" not in MIGRATING] == []


def test_every_field_of_an_entry_is_in_the_table() -> None:
    listed = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \|", EXTENDING.partition("| field of `Entry` |")[2], re.MULTILINE
    )
    named = {name for cell in listed for name in re.findall(r"\w+", cell)}
    assert {field.name for field in dataclasses.fields(Entry)} <= named


def test_the_table_of_shapes_is_that_of_the_corpus() -> None:
    assert in_document() == table(), "python tests/shapes_table.py writes it anew"


class TestLangServesTests:
    LISTED = {"a": "why"}

    def test_as_listed_are_in_order(self) -> None:
        assert faults({"a": "failed", "b": "passed"}, self.LISTED) == []

    def test_of_which_another_fails_are_told(self) -> None:
        assert faults({"a": "failed", "b": "failed"}, self.LISTED) == ["FAILS, and is not listed: b"]

    def test_of_which_one_passes_at_last_are_told(self) -> None:
        assert faults({"a": "passed"}, self.LISTED) == ["PASSES, and is listed: a"]

    def test_of_which_one_is_gone_are_told(self) -> None:
        assert faults({"b": "passed"}, self.LISTED) == ["IS NOT THERE, and is listed: a"]
