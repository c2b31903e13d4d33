"""The files of a new project: those in the folder `template`, with its names in place of placeholders."""

from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from gatehouse.cli.project.requirement import DISTRIBUTION, requirement

TEMPLATE = Path(__file__).parent / "template"
# each is a valid value where it stands, so that the template's files are what they will be
PROJECT = "project-name"
RELEASE = "0.0.0"
PINNED = f"{DISTRIBUTION}=={RELEASE}"
# of installers and checkers
CACHES = frozenset({"__pycache__", ".ruff_cache", ".mypy_cache", ".pytest_cache"})


def write_project(folder: Path, name: str) -> None:
    """Write the project into the folder, which has none of its files. Raises OSError."""
    values = {PROJECT: name, PINNED: requirement(), RELEASE: version(DISTRIBUTION)}
    for file in template_files():
        target = folder / file.relative_to(TEMPLATE)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(filled(file.read_text(encoding="utf-8"), values), encoding="utf-8")


def template_files() -> Iterator[Path]:
    """Yield the template's files, without what tools have left among them."""
    files = (file for file in sorted(TEMPLATE.rglob("*")) if file.is_file())
    return (file for file in files if CACHES.isdisjoint(file.relative_to(TEMPLATE).parts))


def filled(text: str, values: dict[str, str]) -> str:
    """Return a text with each placeholder replaced by its value."""
    for placeholder, value in values.items():
        text = text.replace(placeholder, value)
    return text
