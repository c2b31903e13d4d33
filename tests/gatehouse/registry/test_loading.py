"""The list of what is served, by name: where it is looked for, and what is said when it is not there."""

from pathlib import Path

import pytest

from gatehouse.registry.checked import BadRegistry
from gatehouse.registry.loading import load_registry

MODULE = """
from gatehouse import Entry

LIST = [Entry("/mine", lambda parts: parts.model, "Mine.")]
NUMBER = 5
TEXT = "/mine"
ODD = [*LIST, "/other"]


def listed():
    return LIST


def failing():
    raise RuntimeError("no such file")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a package of which nobody else knows."""
    package = tmp_path / f"pack_{tmp_path.name}"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "listed.py").write_text(MODULE)
    (package / "broken.py").write_text("import nothing_like_that")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))  # and taken away again in the end
    return package


@pytest.mark.parametrize("name", ["LIST", "listed"])
def test_a_list_or_a_function_of_the_working_folder_is_found(folder: Path, name: str) -> None:
    registry = load_registry(f"{folder.name}.listed:{name}")
    assert [entry.path for entry in registry.entries] == ["/mine"]
    assert registry.name == f"{folder.name}.listed:{name}"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("listed:NUMBER", "it is int, neither a list of entries nor a function that returns one"),
        ("listed:TEXT", "it is str, neither a list of entries nor a function that returns one"),
        ("listed:ODD", "'/other' is str, not an Entry"),
        ("listed:failing", "the function failed: RuntimeError: no such file"),
        ("listed:NOTHING", "has no NOTHING"),
        ("nothing:LIST", "there is no module"),
        ("broken:LIST", "importing it failed: ModuleNotFoundError: No module named 'nothing_like_that'"),
    ],
)
def test_what_is_wrong_is_said_after_the_name(folder: Path, name: str, message: str) -> None:
    full = f"{folder.name}.{name}"
    with pytest.raises(BadRegistry) as refused:
        load_registry(full)
    assert str(refused.value).startswith(f"{full}: ")
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "name", ["", "chains", "chains.registry", ":REGISTRY", "a b:C", "a:b.c", "a:", "../a:B"]
)
def test_another_form_of_name_is_refused(name: str) -> None:
    with pytest.raises(BadRegistry, match="package.module:NAME"):
        load_registry(name)


def test_a_missing_package_is_told_with_what_to_do(folder: Path) -> None:
    with pytest.raises(BadRegistry, match="no module nowhere_at_all.registry in .*gatehouse new DIR"):
        load_registry("nowhere_at_all.registry:REGISTRY")
