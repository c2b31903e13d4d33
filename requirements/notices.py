"""Write THIRD_PARTY_NOTICES.md: the licences of the JavaScript in the web client's build, so in the wheel.

What is named is what frontend/package-lock.json installs for the client itself; the build may leave some out.
The licences' texts are those in frontend/node_modules.
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
NOTICES = ROOT / "THIRD_PARTY_NOTICES.md"
LOCK = ROOT / "frontend" / "package-lock.json"
HEAD = """\
# Third-party notices

Gatehouse's wheel and image contain the build of its web client, which contains code of these packages.
`make notices` writes this file from `frontend/package-lock.json`.

"""


def bundled() -> dict[str, dict[str, Any]]:
    """Return what the lock says of each package that the client itself needs, by its folder."""
    packages: dict[str, dict[str, Any]] = json.loads(LOCK.read_text())["packages"]
    return {
        folder: package
        for folder, package in packages.items()
        if folder and not package.get("dev") and not package.get("optional")
    }


def name_of(folder: str) -> str:
    """Return a package's name: the end of its folder in node_modules."""
    return folder.rpartition("node_modules/")[2]


def licence_text(folder: Path) -> str:
    """Return the licence in a package's folder; nothing for a package that has none."""
    files = sorted(
        file for file in folder.iterdir() if file.name.lower().startswith(("license", "licence", "copying"))
    )
    return files[0].read_text(encoding="utf-8").strip() if files else ""


def notices() -> str:
    """Return the document: each licence's text once, under the packages that have it."""
    names: dict[str, set[str]] = {}
    for folder, package in bundled().items():
        text = licence_text(LOCK.parent / folder)
        names.setdefault(text or f"({package['license']}; the package has no text of it)", set()).add(
            f"{name_of(folder)} ({package['license']})"
        )
    sections = sorted((sorted(found), text) for text, found in names.items())
    return HEAD + "\n".join(f"## {', '.join(found)}\n\n```text\n{text}\n```\n" for found, text in sections)


if __name__ == "__main__":
    NOTICES.write_text(notices(), encoding="utf-8")
