"""No lock file has a version of which a fault is known: requirements/advisories.txt lists those."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PYTHON = sorted((ROOT / "requirements").glob("*.txt"))
NODE = [file for file in sorted(ROOT.rglob("package-lock.json")) if "node_modules" not in file.parts]


@dataclass(frozen=True)
class Advisory:
    index: str
    package: str
    mended: Version
    id: str


def advisories() -> list[Advisory]:
    lines = (ROOT / "requirements/advisories.txt").read_text().splitlines()
    fields = [line.split() for line in lines if line and not line.startswith("#")]
    return [Advisory(index, package, Version(mended), id_) for index, package, mended, id_ in fields]


def pinned(text: str) -> list[tuple[str, str]]:
    """Return the packages of a lock file of Python, and their versions."""
    return re.findall(r"^([a-z0-9.-]+)==([^\s;\\]+)", text, re.MULTILINE)


def installed(text: str) -> list[tuple[str, str]]:
    """Return the packages of a package-lock.json, however deep they are, and their versions."""
    packages = json.loads(text)["packages"]
    return [
        (place.rpartition("node_modules/")[2], entry["version"])
        for place, entry in packages.items()
        if "node_modules/" in place and "version" in entry
    ]


def faulty(index: str, packages: list[tuple[str, str]]) -> list[str]:
    return [
        f"{name} {version}: {advisory.id}, mended in {advisory.mended}"
        for name, version in packages
        for advisory in advisories()
        if (advisory.index, advisory.package) == (index, name) and Version(version) < advisory.mended
    ]


@pytest.mark.parametrize("file", PYTHON, ids=lambda file: file.name)
def test_python_packages(file: Path) -> None:
    assert faulty("pypi", pinned(file.read_text())) == []


@pytest.mark.parametrize("file", NODE, ids=lambda file: str(file.parent.relative_to(ROOT)))
def test_node_packages(file: Path) -> None:
    assert faulty("npm", installed(file.read_text())) == []


def test_that_are_faulty_are_found() -> None:
    assert faulty("pypi", pinned("h11==0.14.0 \\\n    --hash=x\nidna==3.0\n")) == [
        "h11 0.14.0: CVE-2025-43859, mended in 0.16.0"
    ]
    lock = {"packages": {"": {}, "node_modules/a/node_modules/uuid": {"version": "10.0.0"}}}
    assert len(faulty("npm", installed(json.dumps(lock)))) == 1
    assert faulty("npm", [("h11", "0.1")]) == []


def test_every_lock_is_looked_at() -> None:
    assert len(PYTHON) >= 4
    assert {file.parent.name for file in NODE} >= {"frontend", "javascript", "e2e"}
    assert all(pinned(file.read_text()) for file in PYTHON if file.name != "advisories.txt")
