"""Workloads of the dev overlay as `podman kube play` runs them."""

import base64
import copy
import json
import time
from collections.abc import Callable
from typing import Any

import yaml
from containers import Containers
from live_server import free_port
from manifests import Manifest, rendered

IMAGE = "localhost/gatehouse:test"
START_SECONDS = 120


class Pod:
    """A workload of the dev overlay as one pod on this machine's network, with our stores and free ports."""

    def __init__(
        self,
        tools: Containers,
        workload: Manifest,
        stores: dict[str, str],
        image: str = IMAGE,
        model: str = "scripted",
    ) -> None:
        self.tools, self.port, self.name = tools, free_port(), workload["kind"].lower()
        overlay = rendered("dev")
        config, secret = (copy.deepcopy(overlay.one(kind)) for kind in ("ConfigMap", "Secret"))
        config["data"] |= {
            "PORT": str(self.port),
            "GATEHOUSE_MANAGEMENT_PORT": str(free_port()),
            "GATEHOUSE_MODEL": model,
        }
        template = copy.deepcopy(workload["spec"]["template"])
        for container in [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]:
            fit_to_podman(container, image)
        metadata = {"name": self.name, "labels": template["metadata"]["labels"]}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}
        self.documents = [config, as_config_map(secret, stores), pod]

    def play(self) -> None:
        file = self.tools.folder / f"{self.name}.yaml"
        file.write_text(yaml.safe_dump_all(self.documents))
        self.tools.run("podman", "kube", "play", "--replace", "--network=host", str(file))

    def finished(self, container: str) -> str:
        """Return what a container has printed, once it has ended with 0."""
        name = f"{self.name}-{container}"
        wait_for(lambda: self.state(container)["Status"] == "exited", f"{name} to end")
        printed = self.tools.run("podman", "logs", name)
        assert self.state(container)["ExitCode"] == 0, printed
        return printed

    def state(self, container: str) -> dict[str, Any]:
        return dict(inspected(self.tools, f"{self.name}-{container}")["State"])


def fit_to_podman(container: Manifest, image: str) -> None:
    """Podman 4 takes no ports with the host's network, and reads no Secret of its own making."""
    container["image"] = image
    container.pop("ports", None)
    names = [next(iter(source.values()))["name"] for source in container["envFrom"]]
    container["envFrom"] = [{"configMapRef": {"name": name}} for name in names]


def as_config_map(secret: Manifest, stores: dict[str, str]) -> Manifest:
    """Return a Secret's content, and our stores', as a ConfigMap."""
    data = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": secret["metadata"], "data": data | stores}


def inspected(tools: Containers, container: str) -> dict[str, Any]:
    """Return what podman knows of a container."""
    return dict(json.loads(tools.run("podman", "container", "inspect", container))[0])


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Return when the condition holds. Fails the test when it does not in time."""
    until = time.monotonic() + START_SECONDS
    while not condition():
        assert time.monotonic() < until, f"waited for {what}"
        time.sleep(0.2)
