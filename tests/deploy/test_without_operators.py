"""The production overlay in a cluster without operators, as docs/operations.md says."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from manifests import ROOT, pod_of

PAGE = ROOT / "docs" / "operations.md"
BUILT_IN = re.compile(r"v1|apps/v1|batch/v1|autoscaling/v2|policy/v1|networking\.k8s\.io/v1")


def lines_to_drop() -> list[str]:
    [block] = re.findall(r"```yaml without-operators\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return [line for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What is left of the overlay without the lines that the page names."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("no kubectl on the PATH to render the overlay")
    folder: Path = tmp_path_factory.mktemp("cluster") / "k8s"
    shutil.copytree(ROOT / "k8s", folder)
    file = folder / "overlays/production/kustomization.yaml"
    text = file.read_text()
    for line in lines_to_drop():
        assert f"{line}\n" in text, f"the overlay has no line {line!r}"
        text = text.replace(f"{line}\n", "")
    file.write_text(text)
    done = subprocess.run(
        [kubectl, "kustomize", str(file.parent)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def test_takes_nothing_that_an_operator_defines(objects: list[dict[str, Any]]) -> None:
    assert [found["kind"] for found in objects if not BUILT_IN.fullmatch(found["apiVersion"])] == []


def test_scales_by_the_autoscaler_that_is_built_in(objects: list[dict[str, Any]]) -> None:
    [scaler] = [found for found in objects if found["kind"] == "HorizontalPodAutoscaler"]
    assert scaler["spec"]["minReplicas"] >= 2


def test_names_the_secrets_that_the_page_makes(objects: list[dict[str, Any]]) -> None:
    page = PAGE.read_text()
    [deployment] = [found for found in objects if found["kind"] == "Deployment"]
    [server] = pod_of(deployment)["containers"]
    secrets = {source["secretRef"]["name"] for source in server["envFrom"] if "secretRef" in source}
    for name in secrets:
        assert f"create secret generic {name} " in page
    for ingress in (found for found in objects if found["kind"] == "Ingress"):
        for tls in ingress["spec"]["tls"]:
            assert f"create secret tls {tls['secretName']} " in page


def test_page_names_the_port_of_the_metrics(objects: list[dict[str, Any]]) -> None:
    [deployment] = [found for found in objects if found["kind"] == "Deployment"]
    ports = {port["name"]: port["containerPort"] for port in pod_of(deployment)["containers"][0]["ports"]}
    [port] = re.findall(r"`/metrics` on port (\d+)", PAGE.read_text())
    assert int(port) in ports.values()
