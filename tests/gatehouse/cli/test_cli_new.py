"""`gatehouse new`: a project that runs, and what it is not written over."""

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from cli_results import Run, failure_of
from gatehouse_processes import GATEHOUSE, executed
from live_server import LiveServer, banner_of, running
from new_project import environment_of_a_person, new_project

from gatehouse.cli.project.template import PINNED, PROJECT, template_files

ROOT = Path(__file__).parents[3]
SHAPE: tuple[str, ...] = (
    "app/main.py",
    "chains/registry.py",
    "tools/opening_hours.py",
    "tests/test_served.py",
    "Dockerfile",
)
SHAPE += (".env.example", ".gitignore", ".dockerignore", "README.md", "Makefile", "requirements.txt")
SHAPE += ("k8s/base/deployment.yaml", "k8s/components/ingress/ingress.yaml")
SHAPE += ("k8s/overlays/dev/kustomization.yaml", "k8s/overlays/production/kustomization.yaml")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_project(tmp_path_factory.mktemp("new") / "my-desk")


@pytest.fixture(scope="module")
def made(project: Path) -> Iterator[LiveServer]:
    """What the command of the project's `make run` starts, where nothing is set but the model."""
    recipe = (project / "Makefile").read_text().partition("\nrun:")[2].partition("\n\n")[0]
    commands = [line.strip().lstrip("@") for line in recipe.splitlines()[1:]]
    assert commands == ["exec $(BIN)/gatehouse serve --upgrade"]
    script = commands[0].replace("$(BIN)", str(Path(GATEHOUSE).parent))
    variables = environment_of_a_person(GATEHOUSE_MODEL="scripted")
    with running(["bash", "-c", script], project, variables, {}, executed) as server:
        yield server


def texts(folder: Path) -> dict[str, str]:
    """Return the text of every file of a folder by its path in it."""
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in folder.rglob("*")
        if file.is_file() and ".gatehouse" not in file.parts and file.suffix != ".pyc"
    }


class TestFiles:
    def test_have_the_demonstrations_shape(self, project: Path) -> None:
        assert set(SHAPE) <= texts(project).keys()

    def test_are_named_after_the_folder(self, project: Path) -> None:
        written = texts(project)
        assert not [file for file, text in written.items() if PROJECT in text or PINNED in text]
        assert "my-desk answers: " in written["chains/ask.py"]
        assert f"gatehouse:{version('gatehouse-server')}\n" in written["Dockerfile"]

    def test_are_valid(self, project: Path) -> None:
        for file, text in texts(project).items():
            match Path(file).suffix:
                case ".py":
                    ast.parse(text)
                case ".yaml":
                    assert list(yaml.safe_load_all(text)), file
                case ".json":
                    json.loads(text)
                case ".toml":
                    tomllib.loads(text)

    def test_of_the_template_are_so_too(self) -> None:
        modules = [file for file in template_files() if file.suffix == ".py"]
        empty = [file for file in modules if not ast.parse(file.read_text()).body]
        assert {file.name for file in empty} <= {"__init__.py"}
        assert len(modules) > len(empty)

    def test_of_the_application_import_no_more_than_the_public_api(self, project: Path) -> None:
        imported = {
            node.module
            for file in project.rglob("*.py")
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.ImportFrom) and node.module
        }
        assert not [module for module in imported if module.startswith("gatehouse.")]

    def test_install_the_model_that_is_locked_here(self, project: Path) -> None:
        """The pins of requirements/embedded.txt, which the project's Makefile repeats."""
        locked = re.findall(
            r"^(\S+==\S+) \\$", (ROOT / "requirements/embedded.txt").read_text(), re.MULTILINE
        )
        (installed,) = re.findall(r"^EMBEDDED \?= (.+)$", (project / "Makefile").read_text(), re.MULTILINE)
        assert sorted(installed.split()) == sorted(locked)


class TestProject:
    def test_answers_the_printed_curl_in_its_own_words(self, made: LiveServer) -> None:
        (curl,) = [line for line in banner_of(made) if line.startswith("curl ")]
        done = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=60, check=True)
        assert '"runnable": "ask"' in curl
        assert '"content":"my-desk answers: This is a scripted answer."' in done.stdout


class TestRefusals:
    @pytest.mark.parametrize("file", ["notes.txt", ".env"])
    def test_a_folder_with_anything_in_it_is_left_as_it_is(self, run: Run, home: Path, file: str) -> None:
        (home / "mine").mkdir()
        (home / "mine" / file).write_text("mine")
        assert failure_of(run("new", "mine")) == (
            f"mine is not empty, it has {file}: name a new or an empty folder. Nothing was written"
        )
        assert texts(home / "mine") == {file: "mine"}

    def test_an_empty_one_may_be_a_repository(self, run: Run, home: Path) -> None:
        (home / "mine" / ".git").mkdir(parents=True)
        assert run("new", "mine").exit_code == 0
        assert (home / "mine" / "Makefile").is_file()

    def test_the_working_folder_has_a_name_too(
        self, run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (home / "mine").mkdir()
        monkeypatch.chdir(home / "mine")
        assert run("new", ".").exit_code == 0
        assert "mine answers" in (home / "mine" / "chains" / "ask.py").read_text()

    def test_a_file_is_no_folder(self, run: Run, home: Path) -> None:
        (home / "mine").write_text("")
        for directory in ("mine", "mine/new"):
            assert failure_of(run("new", directory)) == "mine is a file: name a new or an empty folder"

    @pytest.mark.parametrize(
        ("directory", "close"),
        [
            ("My_Desk", ", as my-desk"),
            ("2nd", ", as nd"),
            ("a b", ", as a-b"),
            ("ü", ""),
            ("-", ""),
            ("/", ""),
        ],
    )
    def test_a_name_that_fits_no_image_and_no_namespace_is_refused(
        self, run: Run, home: Path, directory: str, close: str
    ) -> None:
        said = failure_of(run("new", "--", directory))
        assert said.endswith(f"of a-z, 0-9 and -, and begins with a letter{close}")
        assert list(home.iterdir()) == []
