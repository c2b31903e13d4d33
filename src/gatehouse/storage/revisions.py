"""Whether a database has this release's newest migration, told from the migrations' files alone.

Alembic reads them by running them, and its import is a third of the CPU of a `gatehouse db upgrade` that has
nothing to do. So it is asked only where the files do not say in so many words that there is nothing to do.
"""

import re
from functools import cache
from pathlib import Path

# a line of its own, with one name or none: what is written in another way is Alembic's to read
SAID = re.compile(
    r"""^(revision|down_revision)\b[^=\n]*=[ ]*(?:["']([^"'\n]+)["']|None)[ ]*(?:\#.*)?$""", re.M
)


def is_newest(versions: Path, revision: str | None) -> bool:
    """Tell whether this is surely the newest of a folder's revisions; False where that cannot be told."""
    return revision is not None and revision == newest_of(versions)


@cache  # /readyz asks each time
def newest_of(versions: Path) -> str | None:
    """Return the one revision that no other follows; None where the files do not say so plainly."""
    revisions: set[str] = set()
    followed: set[str] = set()
    for file in versions.glob("*.py"):
        if file.name == "__init__.py":
            continue
        said = SAID.findall(file.read_text(encoding="utf-8"))
        if sorted(name for name, _ in said) != ["down_revision", "revision"]:
            return None
        told: dict[str, str] = dict(said)
        revisions.add(told["revision"])
        followed.add(told["down_revision"])
    newest = revisions - followed
    return newest.pop() if len(newest) == 1 else None
