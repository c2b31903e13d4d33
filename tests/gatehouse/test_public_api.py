"""The public API: which names it has, that each is documented, and that it costs nothing to import."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gatehouse

ROOT = Path(__file__).parents[2]
# A change of this list is a decision: docs/updating.md says what is promised of it, CHANGELOG.md tells of it
NAMES = [
    "Accumulator",
    "BadRegistry",
    "Caller",
    "ContainToolFailures",
    "Deciders",
    "Entry",
    "Parts",
    "Principal",
    "ProgressTracker",
    "Resources",
    "Settings",
    "StreamingWriter",
    "TextInput",
    "TextParser",
    "TokenQueue",
    "acts",
    "as_json",
    "caller_of",
    "create_app",
    "isolate_tenants",
    "open_database",
    "principal_of",
    "see_tenant",
    "tenant_transaction",
    "transaction_of",
]
HEAVY = {
    "langchain",
    "langchain_core",
    "langgraph",
    "langserve",
    "fastapi",
    "sqlalchemy",
    "pydantic",
    "redis",
}


def test_has_these_names_and_no_others() -> None:
    assert sorted(gatehouse.__all__) == NAMES
    assert set(NAMES) <= set(dir(gatehouse))


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_there_and_has_words_of_its_own(name: str) -> None:
    assert getattr(gatehouse, name).__doc__


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_in_the_guide(name: str) -> None:
    guide = (ROOT / "docs/extending.md").read_text()
    table = guide.partition("\n## ")[0]
    assert re.search(rf"^\| [^|]*`{name}`", table, re.MULTILINE)


def test_the_guide_lists_no_other_name() -> None:
    table = (ROOT / "docs/extending.md").read_text().partition("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", table, re.MULTILINE)
    assert sorted(name for cell in cells for name in re.findall(r"`(\w+)`", cell)) == NAMES


def test_type_checkers_are_told_of_the_same_names() -> None:
    module = ast.parse(Path(gatehouse.__file__).read_text())
    (block,) = [node for node in module.body if isinstance(node, ast.If)]
    told = {
        alias.asname: f"{node.module}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert told == gatehouse._MODULES


def test_another_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="'gatehouse' has no attribute 'Nothing'"):
        _ = gatehouse.Nothing


def test_to_import_it_imports_nothing_heavy() -> None:
    code = "import sys, gatehouse; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert not set(done.stdout.split()) & HEAVY
