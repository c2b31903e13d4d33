"""The Kubernetes manifests of this release: in a wheel beside this module, in a checkout at its root."""

import shutil
from collections.abc import Iterator
from pathlib import Path

PARTS = ("base", "components")
IN_WHEEL = Path(__file__).parent / "manifests"  # pyproject.toml puts them there
IN_CHECKOUT = Path(__file__).parents[4] / "k8s"


class NotOurs(Exception):
    """A folder that stands where ours would, and holds something else; the message is its path."""


def source() -> Path:
    """Return the folder that holds the parts."""
    return IN_WHEEL if IN_WHEEL.is_dir() else IN_CHECKOUT


def files_of(folder: Path) -> Iterator[Path]:
    """Yield the files of the parts, relative to the folder that holds these."""
    for part in PARTS:
        yield from (file.relative_to(folder) for file in sorted((folder / part).rglob("*")) if file.is_file())


def differing(folder: Path) -> list[Path]:
    """Return the files of a folder's parts that are not as this release has them. Raises OSError."""
    ours = source()
    return [
        folder / file
        for file in files_of(folder)
        if not (ours / file).is_file() or (ours / file).read_bytes() != (folder / file).read_bytes()
    ]


def write_manifests(folder: Path, *, replace: bool = False) -> None:
    """Write the parts into the folder; with `replace` nothing else stays in them. Raises NotOurs, OSError."""
    if replace:
        check_ours(folder)
    for part in PARTS:
        if replace and (folder / part).exists():
            shutil.rmtree(folder / part)
        shutil.copytree(source() / part, folder / part, dirs_exist_ok=True)


def check_ours(folder: Path) -> None:
    """Raises NotOurs for a part that is there and has nothing of Gatehouse's: it would be deleted."""
    base, components = (folder / part for part in PARTS)
    if base.exists() and not (base / "kustomization.yaml").is_file():
        raise NotOurs(base)
    if components.exists() and not any(components.glob("*/kustomization.yaml")):
        raise NotOurs(components)
