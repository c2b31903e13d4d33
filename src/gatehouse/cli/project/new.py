"""`gatehouse new`: a project of one's own."""

import re
from pathlib import Path
from typing import Annotated

import typer

from gatehouse.cli.failure import Failed

NAME = re.compile(r"[a-z]([a-z0-9-]{0,38}[a-z0-9])?")  # it names an image, a namespace and a host
NEXT = """\
{folder} is a project of your own, and its README.md says what is where. Now:

  cd {folder}
  make run      # then paste the curl that it prints
  make test"""


def new(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="Its folder; the last part names the project.")
    ],
) -> None:
    """Write a project: a chain, an agent with a tool, tests, Dockerfile, Kubernetes overlays.

    Nothing is overwritten: a folder that is there has to be empty, but for .git. What it installs is the
    Gatehouse that writes it: of a release that version, of another the wheel or checkout it came from.
    """
    from gatehouse.cli.project.manifests import write_manifests
    from gatehouse.cli.project.template import write_project

    name = name_of(directory)
    check_free(directory)
    try:
        write_project(directory, name)
        write_manifests(directory / "k8s")
    except OSError as error:
        raise Failed(f"{error.filename or directory} cannot be written ({error.strerror})") from None
    print(NEXT.format(folder=directory))


def name_of(directory: Path) -> str:
    """Return the project's name. Raises Failed."""
    name = directory.absolute().resolve().name
    if not NAME.fullmatch(name):
        raise Failed(
            f"{name!r} cannot name a project: write a folder whose name has 1 to 40 of a-z, 0-9 and -, and "
            f"begins with a letter{suggestion(name)}"
        )
    return name


def suggestion(name: str) -> str:
    """Return a fitting name that is close, as the end of a sentence; nothing when there is none."""
    close = re.sub(r"[^a-z0-9]+", "-", name.lower()).lstrip("-0123456789")[:40].strip("-")
    return f", as {close}" if NAME.fullmatch(close) else ""


def check_free(directory: Path) -> None:
    """Raises Failed for what is there and is no empty folder."""
    try:
        inside = sorted({item.name for item in directory.iterdir()} - {".git"})
    except FileNotFoundError:
        return
    except NotADirectoryError:
        file = next(path for path in (directory, *directory.parents) if path.is_file())
        raise Failed(f"{file} is a file: name a new or an empty folder") from None
    except OSError as error:
        raise Failed(f"{directory} cannot be read ({error.strerror})") from None
    if inside:
        raise Failed(
            f"{directory} is not empty, it has {inside[0]}: name a new or an empty folder. Nothing was "
            "written"
        )
