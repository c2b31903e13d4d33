"""The package's main job: from an empty folder and the built wheel to an answer of one's own chain."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gatehouse_processes import executed
from live_server import LiveServer, banner_of, running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[3]
PYTHON = Path(sys.executable)
SECONDS = 600  # an empty cache of packages is filled first


def done(*command: str | Path, folder: Path, environment: dict[str, str]) -> str:
    """Return what a command prints. Fails with all that it said when it fails."""
    ended = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ended.returncode == 0, f"{ended.stdout[-4000:]}\n{ended.stderr[-4000:]}"
    return ended.stdout


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """A person's: no setting of ours, and uv, which the tests have, to install what is locked here in seconds."""
    inherited = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("GATEHOUSE_", "OPENAI_", "AZURE_", "PYTHON", "MAKE", "MFLAGS"))
    }
    return inherited | {
        "PATH": f"{os.environ['PATH']}{os.pathsep}{PYTHON.parent}",
        "UV_CONSTRAINT": str(ROOT / "requirements" / "runtime.txt"),
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = (
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        folder,
        ROOT,
    )
    done(PYTHON, *build, folder=folder, environment=environment)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, wheel: Path, environment: dict[str, str]) -> Path:
    """What `gatehouse new mine` of the installed wheel writes."""
    folder = tmp_path_factory.mktemp("empty")
    done(PYTHON, "-m", "venv", "--without-pip", "venv", folder=folder, environment=environment)
    done("uv", "pip", "install", "--python", "venv/bin/python", wheel, folder=folder, environment=environment)
    done("venv/bin/gatehouse", "new", "mine", folder=folder, environment=environment)
    return folder / "mine"


@pytest.fixture(scope="module")
def made(project: Path, environment: dict[str, str]) -> Iterator[LiveServer]:
    """What `make run` starts there: nothing is set, so the embedded model answers."""
    done("make", ".venv/.runtime", folder=project, environment=environment)
    # Python compiles what it imports: on a busy machine that takes as long as a start may
    done(".venv/bin/gatehouse", "routes", folder=project, environment=environment)
    with running(["make", "run"], project, environment, {}, executed) as server:
        yield server


def test_the_project_installs_the_wheel_that_wrote_it(project: Path, wheel: Path) -> None:
    assert f"GATEHOUSE ?= gatehouse-server @ {wheel.as_uri()}\n" in (project / "Makefile").read_text()


def test_make_run_answers_the_printed_curl_in_the_chains_own_words(made: LiveServer) -> None:
    (curl,) = [line for line in banner_of(made) if line.startswith("curl ")]
    answered = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=120, check=True)
    assert "SmolLM2" in made.output
    assert re.search(r'"type":"complete","content":"mine answers: \w', answered.stdout)
    assert '"status":"completed"' in answered.stdout


def test_make_test_passes(project: Path, environment: dict[str, str]) -> None:
    assert " passed" in done("make", "test", folder=project, environment=environment)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl on the PATH to render the overlays")
@pytest.mark.parametrize("overlay", ["dev", "production"])
def test_the_manifests_of_the_wheel_render(project: Path, overlay: str, environment: dict[str, str]) -> None:
    rendered = done(
        "kubectl", "kustomize", f"k8s/overlays/{overlay}", folder=project, environment=environment
    )
    assert "kind: Deployment" in rendered


def test_the_wheel_carries_the_notices_of_what_it_ships(project: Path) -> None:
    (licences,) = project.parent.glob("venv/lib/python*/site-packages/gatehouse_server-*.dist-info/licenses")
    assert {file.name for file in licences.iterdir()} == {"LICENSE", "THIRD_PARTY_NOTICES.md"}
