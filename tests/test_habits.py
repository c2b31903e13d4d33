"""What the repository asks of those who change it: hooks, CI and releases run the Makefile's own commands."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TEMPLATES = sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"))
# Who may write what: only those that publish, and only what that takes.
WRITERS = {
    ("release.yml", "publish"): {"id-token", "attestations"},
    ("release.yml", "publish-image"): {"id-token", "attestations", "packages"},
}
PUBLISHING = "vars.PUBLISH == 'true'"


def read(path: str | Path) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def jobs() -> list[tuple[str, str, dict[str, Any]]]:
    """Return every workflow's jobs: the file's name, the job's and the job."""
    return [(file.name, name, job) for file in WORKFLOWS for name, job in read(file)["jobs"].items()]


def steps() -> list[dict[str, Any]]:
    return [step for _, _, job in jobs() for step in job.get("steps", ())]


def make_targets() -> set[str]:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"^([^\s:#=][^:=\n]*):(?!=)", makefile, flags=re.MULTILINE)
    return {name.replace("$(VENV)", ".venv") for target in targets for name in target.split()}


class TestContinuousIntegration:
    def test_runs_what_people_run_on_every_push_and_pull_request(self) -> None:
        workflow = read(".github/workflows/ci.yml")
        assert {"push", "pull_request"} <= set(workflow[True])  # YAML 1.1 reads the key `on` as true
        assert [step["run"] for step in workflow["jobs"]["run"]["steps"] if "run" in step][-1] == ".ci/run"

    def test_runs_on_the_oldest_python_that_is_supported_and_on_a_newer_one(self) -> None:
        versions = read(".github/workflows/ci.yml")["jobs"]["run"]["strategy"]["matrix"]["python"]
        oldest = re.search(r'requires-python = ">=([\d.]+)"', (ROOT / "pyproject.toml").read_text())
        assert oldest
        assert versions[0] == oldest[1]
        assert len(versions) > 1


class TestPermissions:
    @pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
    def test_of_a_workflow_are_to_read(self, workflow: Path) -> None:
        assert read(workflow)["permissions"] == {"contents": "read"}

    def test_to_write_are_those_of_the_jobs_that_publish(self) -> None:
        written = {
            (file, name): {scope for scope, access in job["permissions"].items() if access == "write"}
            for file, name, job in jobs()
            if "permissions" in job
        }
        assert written == WRITERS

    def test_to_write_wait_until_a_maintainer_switches_them_on(self) -> None:
        assert all(job["if"] == PUBLISHING for file, name, job in jobs() if (file, name) in WRITERS)

    def test_leave_no_credential_behind_in_a_checkout(self) -> None:
        checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
        assert checkouts
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)

    def test_are_given_to_actions_of_a_known_version(self) -> None:
        used = [step["uses"] for step in steps() if "uses" in step]
        assert [name for name in used if not re.search(r"@(v\d+|release/v\d+|[0-9a-f]{40})$", name)] == []


class TestRelease:
    def test_publishes_what_was_checked(self) -> None:
        release = read(".github/workflows/release.yml")
        assert release[True] == {"push": {"tags": ["v*"]}}
        for name in ("publish", "publish-image"):
            assert set(release["jobs"][name]["needs"]) == {"check", "build", "image"}
        assert release["jobs"]["check"]["uses"] == "./.github/workflows/ci.yml"

    def test_builds_the_web_client_before_the_wheel(self) -> None:
        build = read(".github/workflows/release.yml")["jobs"]["build"]
        commands = [step.get("run", "") for step in build["steps"]]
        assert commands.index("make frontend") < commands.index("python -m build --no-isolation")

    def test_is_installed_by_the_name_of_the_distribution(self) -> None:
        texts = [*WORKFLOWS, ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
        other = re.compile(r"pip install gatehouse(?!-server)\b")
        assert [path.name for path in texts if other.search(path.read_text())] == []


class TestHooks:
    def test_are_commands_of_the_makefile(self) -> None:
        repos = read(".pre-commit-config.yaml")["repos"]
        assert [repo["repo"] for repo in repos] == ["local"]
        entries = [hook["entry"].split() for repo in repos for hook in repo["hooks"]]
        assert {program for program, *_ in entries} == {"make"}
        assert {target for _, *targets in entries for target in targets} <= make_targets()

    def test_of_the_development_container_too(self) -> None:
        container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
        program, *targets = container["postCreateCommand"].split()
        assert program == "make"
        assert set(targets) <= make_targets()


class TestUpdates:
    def test_cover_every_lock_file_of_npm(self) -> None:
        locks = [path for depth in ("*", "*/*") for path in ROOT.glob(f"{depth}/package-lock.json")]
        assert {f"/{path.parent.relative_to(ROOT)}" for path in locks} == folders("npm")

    def test_cover_python_images_and_actions(self) -> None:
        locks = {f"/{path.parent.relative_to(ROOT)}" for path in ROOT.glob("examples/*/requirements.txt")}
        assert folders("pip") == {"/", "/requirements", *locks}
        assert folders("docker") == folders("github-actions") == {"/"}
        assert folders("docker-compose") == {"/deploy"}

    def test_come_in_groups(self) -> None:
        assert all(update["groups"] for update in read(".github/dependabot.yml")["updates"])


def folders(ecosystem: str) -> set[str]:
    """Return the folders in which releases of this ecosystem are looked after."""
    updates = [u for u in read(".github/dependabot.yml")["updates"] if u["package-ecosystem"] == ecosystem]
    return {folder for update in updates for folder in update.get("directories") or [update["directory"]]}


class TestIssues:
    def test_are_asked_for_by_a_form(self) -> None:
        forms = [read(path) for path in TEMPLATES if path.name != "config.yml"]
        assert len(forms) == 2
        for form in forms:
            assert form["name"]
            assert form["description"]
            named = [field["id"] for field in form["body"] if field["type"] != "markdown"]
            assert len(named) == len(set(named))
