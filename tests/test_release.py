"""What a release says of itself: one version everywhere, its name on the index, the licences of what it ships."""

import re
import subprocess
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
VERSION = PROJECT["version"]
FOLLOWING = {
    "Dockerfile": r"^ARG VERSION=(\S+)$|gatehouse(?:-demonstration)?:(\d\S*)",
    "deploy/compose.yaml": r"gatehouse-demonstration:(\d[^}]*)\}",
    "deploy/.env.example": r"/gatehouse:(\d\S*)",
    "k8s/overlays/staging/kustomization.yaml": r"newTag: (\S+)",
    "k8s/overlays/production/kustomization.yaml": r"newTag: (\S+)",
}
# `gatehouse` on the public index is another project; with -e, a path or a URL it is not asked there
OF_ANOTHER = re.compile(
    r"\bpip3? install\b[^\n`|&;]*?[ '\"]gatehouse(?!-server|/|-)(?=[\s'\"`=<>~!\[;,.)]|$)", re.MULTILINE
)
TEXTS = {
    ".md",
    ".py",
    ".toml",
    ".txt",
    ".in",
    ".yaml",
    ".yml",
    ".json",
    ".js",
    ".ts",
    ".tsx",
    ".html",
    ".env",
    ".example",
    "",
}


class TestVersion:
    @pytest.mark.parametrize("file", FOLLOWING)
    def test_is_pyprojects_wherever_it_stands(self, file: str) -> None:
        found = re.finditer(FOLLOWING[file], (ROOT / file).read_text(), re.MULTILINE)
        versions = {next(filter(None, match.groups())) for match in found}
        assert versions == {VERSION}

    def test_is_the_newest_of_the_changelog(self) -> None:
        headings = re.findall(r"^## \[(.+?)\](.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
        assert headings[0] == ("Unreleased", "")
        released = headings[1:]
        assert released[0][0] == VERSION
        assert all(re.fullmatch(r" - \d{4}-\d\d-\d\d", date) for _, date in released)
        numbers = [tuple(map(int, version.split("."))) for version, _ in released]
        assert numbers == sorted(numbers, reverse=True)

    def test_is_supported(self) -> None:
        series = ".".join(VERSION.split(".")[:2])
        assert f"| {series}.x | yes |" in (ROOT / "SECURITY.md").read_text()


class TestName:
    def test_no_text_installs_another_project_of_the_name(self) -> None:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False
        )
        if listed.returncode:
            pytest.skip("no repository that says what is tracked")
        files = [
            ROOT / name for name in listed.stdout.split("\0") if name and name != "tests/test_release.py"
        ]
        texts = {file: file.read_text() for file in files if file.is_file() and file.suffix in TEXTS}
        assert len(texts) > 500
        assert [str(file) for file, text in texts.items() if OF_ANOTHER.search(text)] == []

    @pytest.mark.parametrize(
        ("text", "wrong"),
        [
            ("pip install gatehouse", True),
            ("`uv pip install -U gatehouse`", True),
            ("pip install --quiet 'gatehouse[embedded]==1'", True),
            ("pip install gatehouse.", True),
            ("pip install gatehouse-server", False),
            ("pip install 'gatehouse-server==1.0'", False),
            ("pip install -e . && gatehouse serve", False),
            ("pip install ./gatehouse/x.whl", False),
        ],
    )
    def test_is_recognised(self, text: str, wrong: bool) -> None:
        assert bool(OF_ANOTHER.search(text)) is wrong


class TestNotices:
    def test_are_in_the_wheel(self) -> None:
        assert PROJECT["license-files"] == ["LICENSE", "THIRD_PARTY_NOTICES.md"]

    def test_name_every_package_of_the_web_client_and_no_other(self) -> None:
        """`make notices` writes them anew."""
        spec = spec_from_file_location("notices", ROOT / "requirements" / "notices.py")
        assert spec is not None
        assert spec.loader is not None
        notices = module_from_spec(spec)
        spec.loader.exec_module(notices)
        needed = {
            f"{notices.name_of(folder)} ({package['license']})"
            for folder, package in notices.bundled().items()
        }
        headings = re.findall(r"^## (.+)$", notices.NOTICES.read_text(), re.MULTILINE)
        assert {name for heading in headings for name in heading.split(", ")} == needed
