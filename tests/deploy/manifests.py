"""The overlays as `kubectl kustomize` renders them, and where in them to look."""

import atexit
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from new_project import new_project

ROOT = Path(__file__).parents[2]
OVERLAYS = ("dev", "staging", "production")
PROJECT_OVERLAYS = ("project/dev", "project/production")  # of a new project: k8s/overlays/… there
WORKLOADS = ("Deployment", "StatefulSet", "Job")

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """Every object of an overlay."""

    overlay: str
    objects: Sequence[Manifest]

    def of_kind(self, kind: str) -> list[Manifest]:
        return [found for found in self.objects if found["kind"] == kind]

    def one(self, kind: str, name: str = "gatehouse") -> Manifest:
        """Return the object with this name, with or without a hash behind it."""
        form = re.compile(rf"{re.escape(name)}(-[a-z0-9]{{10}})?")
        found = [each for each in self.of_kind(kind) if form.fullmatch(each["metadata"]["name"])]
        assert len(found) == 1, f"{self.overlay} has {len(found)} {kind} {name}"
        return found[0]

    def workloads(self) -> list[Manifest]:
        return [found for found in self.objects if found["kind"] in WORKLOADS]

    def containers(self) -> Iterator[tuple[str, Manifest, Manifest]]:
        """Yield every container with a name to report and its pod's specification."""
        for workload in self.workloads():
            pod = pod_of(workload)
            for container in [*pod.get("initContainers", []), *pod["containers"]]:
                yield f"{name_of(workload)}: {container['name']}", container, pod

    @property
    def for_development(self) -> bool:
        return self.overlay.endswith("dev")

    @property
    def server(self) -> Manifest:
        """The container that serves."""
        container: Manifest = pod_of(self.one("Deployment"))["containers"][0]
        return container

    @property
    def settings(self) -> dict[str, str]:
        """What the ConfigMap sets."""
        return dict(self.one("ConfigMap")["data"])


@cache
def written_project() -> Path:
    """Return a new project, which is removed in the end."""
    folder = Path(tempfile.mkdtemp(prefix="gh-project-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return new_project(folder / "mine")


@cache
def rendered(overlay: str) -> Rendered:
    """Return an overlay's objects. Skips without kubectl."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl on the PATH to render the overlays")
    project, _, name = overlay.rpartition("/")
    root = written_project() if project else ROOT
    done = subprocess.run(
        [kubectl, "kustomize", str(root / "k8s" / "overlays" / name)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Rendered(overlay, [document for document in yaml.safe_load_all(done.stdout) if document])


def pod_of(workload: Manifest) -> Manifest:
    """Return the specification of a workload's pods."""
    pod: Manifest = workload["spec"]["template"]["spec"]
    return pod


def labels_of(workload: Manifest) -> Mapping[str, str]:
    """Return the labels of a workload's pods."""
    labels: Mapping[str, str] = workload["spec"]["template"]["metadata"]["labels"]
    return labels


def name_of(found: Manifest) -> str:
    return f"{found['kind']} {found['metadata']['name']}"


def selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Tell whether a label selector takes these labels. Knows matchLabels and `In`."""
    wanted: Mapping[str, str] = selector.get("matchLabels", {})
    expressions: Sequence[Manifest] = selector.get("matchExpressions", [])
    assert all(each["operator"] == "In" for each in expressions), json.dumps(expressions)
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        labels.get(each["key"]) in each["values"] for each in expressions
    )
