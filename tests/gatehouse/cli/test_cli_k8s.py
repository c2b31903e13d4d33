"""`gatehouse k8s`: this release's manifests, and what they are not written over."""

from pathlib import Path

import pytest
from cli_results import Run, failure_of

from gatehouse.cli.project import manifests

ROOT = Path(__file__).parents[3]


def contents(folder: Path) -> dict[str, bytes]:
    files = [file for file in folder.rglob("*") if file.is_file()]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def test_writes_what_is_in_the_repository(run: Run, home: Path) -> None:
    assert run("k8s", "k8s").stdout == "k8s/base and k8s/components are this release's.\n"
    for part in ("base", "components"):
        assert contents(home / "k8s" / part) == contents(ROOT / "k8s" / part)


def test_refers_to_nothing_outside_of_itself(run: Run, home: Path) -> None:
    run("k8s", "k8s")
    for file in (home / "k8s").rglob("kustomization.yaml"):
        assert ".." not in file.read_text()


def test_again_it_changes_nothing(run: Run, home: Path) -> None:
    run("k8s", "k8s")
    assert run("k8s", "k8s").exit_code == 0


@pytest.mark.parametrize("file", ["base/pdb.yaml", "components/redis/mine.yaml"])
def test_a_change_stays_unless_it_is_to_be_replaced(run: Run, home: Path, file: str) -> None:
    run("k8s", "k8s")
    (home / "k8s" / file).write_text("mine")
    assert failure_of(run("k8s", "k8s")) == (
        f"k8s/{file} is not as this release has it: --replace writes it anew. Nothing was written"
    )
    assert (home / "k8s" / file).read_text() == "mine"
    assert run("k8s", "k8s", "--replace").exit_code == 0
    assert contents(home / "k8s" / "base") == contents(ROOT / "k8s" / "base")
    assert contents(home / "k8s" / "components") == contents(ROOT / "k8s" / "components")


@pytest.mark.parametrize("part", manifests.PARTS)
def test_what_is_no_folder_of_manifests_is_never_replaced(run: Run, home: Path, part: str) -> None:
    (home / "k8s" / part).mkdir(parents=True)
    (home / "k8s" / part / "letter.txt").write_text("mine")
    said = failure_of(run("k8s", "k8s", "--replace"))
    assert said == f"k8s/{part} is no folder of manifests of Gatehouse's. Nothing was written"
    assert contents(home / "k8s") == {f"{part}/letter.txt": b"mine"}


def test_overlays_beside_them_are_left_alone(run: Run, home: Path) -> None:
    (home / "k8s" / "overlays").mkdir(parents=True)
    (home / "k8s" / "overlays" / "mine.yaml").write_text("mine")
    run("k8s", "k8s")
    run("k8s", "k8s", "--replace")
    assert (home / "k8s" / "overlays" / "mine.yaml").read_text() == "mine"
