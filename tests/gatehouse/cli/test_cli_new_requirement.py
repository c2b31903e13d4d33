"""What a new project installs: the Gatehouse that wrote it."""

import json
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

from gatehouse.cli.project.requirement import requirement_of


def installed(folder: Path, direct_url: dict[str, Any] | None) -> Distribution:
    (folder / "METADATA").write_text("Metadata-Version: 2.4\nName: gatehouse-server\nVersion: 1.2.3\n")
    if direct_url is not None:
        (folder / "direct_url.json").write_text(json.dumps(direct_url))
    return Distribution.at(folder)


@pytest.mark.parametrize(
    ("direct_url", "requirement"),
    [
        (None, "gatehouse-server==1.2.3"),
        (
            {"url": "file:///w/gatehouse_server-1.2.3-py3-none-any.whl", "archive_info": {}},
            "gatehouse-server @ file:///w/gatehouse_server-1.2.3-py3-none-any.whl",
        ),
        (
            {"url": "file:///it's/a%20$checkout", "dir_info": {"editable": True}},
            "gatehouse-server @ file:///it%27s/a%20%24checkout",
        ),
        (
            {"url": "https://git.example/g.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "gatehouse-server @ git+https://git.example/g.git@abc",
        ),
    ],
    ids=["an index", "a wheel", "a checkout", "a repository"],
)
def test_it_is_asked_of_where_it_came_from(
    tmp_path: Path, direct_url: dict[str, Any] | None, requirement: str
) -> None:
    assert requirement_of(installed(tmp_path, direct_url)) == requirement
