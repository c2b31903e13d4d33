"""What the README and the example file say is true of the code."""

import re
from pathlib import Path

import pytest

from gatehouse.settings import Settings

ROOT = Path(__file__).parent.parent


def variable(name: str) -> str:
    alias = Settings.model_fields[name].validation_alias
    return str(alias.choices[0]) if alias else f"GATEHOUSE_{name.upper()}"  # type: ignore[union-attr]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_readme_lists_every_setting_with_its_description(name: str) -> None:
    field = Settings.model_fields[name]
    rows = [
        line
        for line in (ROOT / "README.md").read_text().splitlines()
        if line.startswith(f"| `{variable(name)}` ")
    ]
    assert len(rows) == 1
    assert str(field.description) in rows[0]


def test_readme_lists_no_other_setting() -> None:
    listed = re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(variable(name) for name in Settings.model_fields)


def test_links_of_the_documents_lead_to_files() -> None:
    documents = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    links = [
        (document, target)
        for document in documents
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text())
    ]
    assert links
    missing = [
        f"{document.name}: {target}" for document, target in links if not (document.parent / target).exists()
    ]
    assert missing == []
