"""Packages of models that are not there, and such as cannot be loaded: each is told as what it is."""

import sys
from pathlib import Path

import pytest

from gatehouse.models.embedded.server import CannotStart, started
from gatehouse.models.providers import missing

NO_LIBRARY = "libgomp.so.1: cannot open shared object file: No such file or directory"


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose packages are imported before all others."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


class TestEngineOfTheEmbeddedModel:
    def test_whose_library_is_missing_is_not_said_to_be_missing_itself(
        self, packages: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delitem(sys.modules, "xllamacpp", raising=False)
        (packages / "xllamacpp.py").write_text(f"raise ImportError({NO_LIBRARY!r})")
        with pytest.raises(CannotStart, match=r"is installed and cannot be loaded \(libgomp.*libgomp1"):
            started("key")

    def test_that_is_not_installed_is_said_to_be(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "xllamacpp", None)
        with pytest.raises(CannotStart, match="xllamacpp is missing: make run installs it"):
            started("key")


class TestPackageOfAProvider:
    @pytest.mark.parametrize(
        ("cause", "told"),
        [
            (ImportError(NO_LIBRARY), f"its package cannot be loaded: {NO_LIBRARY}"),
            (ModuleNotFoundError("No module named 'langchain_mistralai'"), "is not installed: pip install"),
        ],
    )
    def test_is_told_by_what_kept_it_from_being_imported(self, cause: ImportError, told: str) -> None:
        error = ImportError("Please install it with `pip install langchain-mistralai`")
        error.__cause__ = cause
        assert told in missing("mistralai", error)
