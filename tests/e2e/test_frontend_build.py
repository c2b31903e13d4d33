"""The web client's build: how much a first visit loads, and what it must not load yet."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

DIST = Path(__file__).parent.parent.parent / "src/gatehouse/web/client"
FIRST_LOAD = 157_000  # bytes, compressed

pytestmark = pytest.mark.e2e


@pytest.fixture
def manifest() -> dict[str, Any]:
    if not DIST.exists():
        pytest.skip("the web client is not built: make frontend")
    chunks: dict[str, Any] = json.loads((DIST / ".vite" / "manifest.json").read_text())
    return chunks


def loaded_at_once(manifest: dict[str, Any], name: str) -> set[str]:
    """Return the files that come with a chunk, without those that it loads on demand."""
    chunk = manifest[name]
    files = {chunk["file"], *chunk.get("css", ())}
    return files.union(*(loaded_at_once(manifest, other) for other in chunk.get("imports", ())))


def compressed_size(file: str) -> int:
    return (DIST / f"{file}.gz").stat().st_size


def test_a_first_visit_loads_little(manifest: dict[str, Any]) -> None:
    size = sum(compressed_size(file) for file in loaded_at_once(manifest, "index.html"))
    page = (DIST / "index.html").stat().st_size
    print(f"first load: {size + page:,} bytes")
    assert 50_000 < size + page <= FIRST_LOAD


@pytest.mark.parametrize("part", ["remote", "LineChart", "TransportsPage"])
def test_what_is_needed_later_is_loaded_later(manifest: dict[str, Any], part: str) -> None:
    files = [chunk["file"] for chunk in manifest.values() if part in chunk["file"]]
    assert files
    assert not loaded_at_once(manifest, "index.html").intersection(files)


@pytest.mark.usefixtures("manifest")
def test_the_page_has_no_inline_script_or_style() -> None:
    page = (DIST / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\ssrc=)", page) == []
    assert "<style" not in page
    assert " style=" not in page
    assert "on" not in re.findall(r"\s(on)[a-z]+=", page)


@pytest.mark.usefixtures("manifest")
def test_every_script_has_a_compressed_copy() -> None:
    assets = [file for file in (DIST / "assets").iterdir() if file.suffix in (".js", ".css")]
    assert assets
    assert all(file.with_name(f"{file.name}.gz").exists() for file in assets)
