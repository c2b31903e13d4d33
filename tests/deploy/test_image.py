"""The image, built from the Dockerfile over a stand-in for its base, and run as production runs it."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from containers import Containers, container_tools, make_base_images
from debian_postgres import gatehouse_database
from live_redis import running_redis
from live_server import free_port
from manifests import ROOT, pod_of, rendered
from new_project import new_project
from pods import IMAGE, Pod, as_config_map, inspected, wait_for

pytestmark = [pytest.mark.image, pytest.mark.timeout(1800)]

RUNTIME_BASE = "docker.io/library/python:3.12-slim"
BUILD_BASE = "localhost/build-stand-in:latest"
PACKAGE_IMAGE = "localhost/gatehouse:package"
PROJECT_IMAGE = "localhost/mine:test"
BUILT_WITH: dict[str, Any] = {"BUILD_IMAGE": BUILD_BASE, "NODE_IMAGE": BUILD_BASE, "REVISION": "abc123"}
DEV_IMAGE = "localhost/gatehouse:dev"
LARGEST = 350_000_000


@pytest.fixture(scope="module")
def tools() -> Iterator[Containers]:
    """The builder, with the image built."""
    with container_tools() as tools:
        make_base_images(tools, RUNTIME_BASE, BUILD_BASE)
        tools.build(PACKAGE_IMAGE, target="gatehouse", **BUILT_WITH)
        tools.build(IMAGE, file=last_stage(tools.folder / "Dockerfile"))
        yield tools


def last_stage(file: Path) -> Path:
    """Return the file with the Dockerfile's last stage, on the image of the package: else all is built twice."""
    _, _, stage = (ROOT / "Dockerfile").read_text().partition("\nFROM gatehouse\n")
    file.write_text(f"FROM {PACKAGE_IMAGE}\n{stage}")
    return file


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of a fresh PostgreSQL and a fresh Redis."""
    with gatehouse_database() as database, running_redis(tmp_path_factory.mktemp("redis")) as redis:
        yield {"GATEHOUSE_DATABASE_URL": database, "GATEHOUSE_REDIS_URL": redis}


@pytest.fixture(scope="module")
def keys(tools: Containers, stores: dict[str, str]) -> dict[str, str]:
    """The keys of a development server's users, after the rendered migration Job has run."""
    job = Pod(tools, rendered("dev").of_kind("Job")[0], stores)
    job.play()
    job.finished("seed")
    run_server(tools, "first", IMAGE, stores)
    keys = keys_of(tools, "first")
    tools.run("podman", "stop", "--time=60", "first")
    return keys


@pytest.fixture(scope="module")
def url(tools: Containers, stores: dict[str, str], keys: dict[str, str]) -> str:
    """A container, as `podman run --read-only --cap-drop ALL` starts it."""
    return run_server(tools, "server", IMAGE, stores)


def run_server(tools: Containers, name: str, image: str, stores: dict[str, str]) -> str:
    """Return the address of a server that is ready."""
    port = free_port()
    overlay = rendered("dev")
    secret = as_config_map(overlay.one("Secret"), stores)["data"]
    variables = {**secret, "PORT": str(port), "GATEHOUSE_MODEL": "scripted"}
    tools.run(
        *("podman", "run", "--detach", f"--name={name}", "--network=host", "--read-only", "--cap-drop=ALL"),
        *(f"--env={name}={value}" for name, value in variables.items()),
        image,
    )
    url = f"http://127.0.0.1:{port}"
    wait_for(lambda: ready(url), f"{url}/readyz")
    return url


def keys_of(tools: Containers, container: str) -> dict[str, str]:
    """Return the keys that a server's banner prints, by user."""

    def printed() -> dict[str, str]:
        logged = tools.run("podman", "logs", container)
        return dict(re.findall(r"^(\w+) of \w+: +(gh_dev_\w+)$", logged, re.MULTILINE))

    wait_for(lambda: len(printed()) == 2, "the banner")
    return printed()


@pytest.fixture(scope="module")
def project(tools: Containers) -> Path:
    """A new project with a requirement of its own, of which the image was built."""
    folder = new_project(tools.folder / "mine")
    (folder / "requirements.txt").write_text("mergedeep==1.3.4\n")  # small, and nothing of ours needs it
    tools.build(PROJECT_IMAGE, context=folder, GATEHOUSE_IMAGE=PACKAGE_IMAGE, BUILD_IMAGE=BUILD_BASE)
    return folder


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=10).status_code == httpx.codes.OK
    except httpx.TransportError:
        return False


def answered(url: str, key: str) -> str:
    """Sign in with a key as a browser does, and return the answer to a question."""
    with httpx.Client(base_url=url, timeout=30, headers={"origin": url}) as client:
        client.post("/auth/session", json={"credential": key}).raise_for_status()
        assert client.get("/api/me").raise_for_status().json()["user_id"] == "alice"
        asked = client.post("/api/chat", json={"query": "What is a bond?"})
        return str(asked.raise_for_status().json()["response"])


class TestImage:
    def test_is_small(self, tools: Containers) -> None:
        size = int(tools.run("podman", "image", "inspect", "--format={{.Size}}", IMAGE))
        print(f"{size / 1e6:.0f} MB")
        assert size < LARGEST

    def test_says_what_it_is_and_how_it_runs(self, tools: Containers) -> None:
        image = json.loads(tools.run("podman", "image", "inspect", IMAGE))[0]
        config = image["Config"]
        assert config["User"] == "10001:10001"
        assert config["Entrypoint"] == ["gatehouse"]
        assert config["Cmd"] == ["serve"]
        assert config["Labels"]["org.opencontainers.image.revision"] == "abc123"
        assert config["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
        assert image["Healthcheck"]["Test"][:2] == ["CMD", "python3"]

    def test_holds_no_build_tool_and_nothing_that_a_build_secret_said(self, tools: Containers) -> None:
        mounted = Path(tools.run("podman", "image", "mount", IMAGE).strip())
        try:
            home = mounted / "opt/gatehouse"
            assert not list(home.rglob("pip")) + list(home.rglob("node_modules"))
            assert [str(found.parent.name) for found in home.rglob("tests")] == ["template"]
            assert list(home.rglob("gatehouse/web/client/index.html"))
            assert list(home.rglob("gatehouse/__pycache__/main.*.pyc"))
            assert not (mounted / "etc/pip.conf").exists() or not (mounted / "etc/pip.conf").read_text()
            assert not (mounted / "run/secrets/ca").exists()
        finally:
            tools.run("podman", "image", "unmount", IMAGE)


class TestContainer:
    """With a database and a Redis beside it."""

    def test_signs_in_and_answers(self, url: str, keys: dict[str, str]) -> None:
        assert answered(url, keys["alice"])

    def test_shows_the_web_client(self, url: str, keys: dict[str, str]) -> None:
        page = httpx.get(f"{url}/transports", headers={"x-api-key": keys["alice"]})
        assert "/assets/" in page.raise_for_status().text

    def test_is_found_healthy(self, tools: Containers, url: str) -> None:
        tools.run("podman", "healthcheck", "run", "server")

    def test_runs_without_privileges(self, tools: Containers, url: str) -> None:
        (process,) = tools.run("podman", "top", "server", "huser", "capeff", "seccomp").splitlines()[1:]
        assert process.split() == ["10001", "none", "filter"]

    def test_drains_as_process_one_and_exits_with_0(self, tools: Containers, url: str) -> None:
        tools.run("podman", "stop", "--time=60", "server")
        assert inspected(tools, "server")["State"]["ExitCode"] == 0


class TestProject:
    """A new project, built on the image of the package alone."""

    def test_the_image_of_the_package_can_write_one(self, tools: Containers, tmp_path: Path) -> None:
        tmp_path.chmod(0o777)
        mount = f"--volume={tmp_path}:/out"
        tools.run("podman", "run", "--rm", "--network=host", mount, PACKAGE_IMAGE, "new", "/out/mine")
        written = {file.name for file in (tmp_path / "mine").rglob("*")}
        assert {".env.example", ".gitignore", "test_served.py", "deployment.yaml"} <= written
        assert "GATEHOUSE ?= gatehouse-server==" in (tmp_path / "mine" / "Makefile").read_text()

    def test_the_image_of_the_package_has_nothing_of_the_demonstrations(self, tools: Containers) -> None:
        mounted = Path(tools.run("podman", "image", "mount", PACKAGE_IMAGE).strip())
        try:
            assert list((mounted / "srv").iterdir()) == []
        finally:
            tools.run("podman", "image", "unmount", PACKAGE_IMAGE)

    def test_answers_in_its_own_words(
        self, tools: Containers, stores: dict[str, str], keys: dict[str, str], project: Path
    ) -> None:
        url = run_server(tools, "mine", PROJECT_IMAGE, stores)
        asked = {"query": "[say Hello.]", "runnable": "ask"}
        answer = httpx.post(f"{url}/api/chat", json=asked, headers={"x-api-key": keys["alice"]}, timeout=30)
        assert answer.raise_for_status().json()["response"] == "mine answers: Hello."

    def test_has_what_its_own_requirements_name(self, tools: Containers, project: Path) -> None:
        imported = ["--entrypoint=python3", PROJECT_IMAGE, "-c", "import mergedeep, gatehouse"]
        tools.run("podman", "run", "--rm", "--network=host", *imported)


class TestPod:
    """As `podman kube play` of what `kubectl kustomize k8s/overlays/dev` renders."""

    def test_answers_and_drains(
        self, tools: Containers, stores: dict[str, str], keys: dict[str, str]
    ) -> None:
        pod = Pod(tools, rendered("dev").one("Deployment"), stores)
        pod.play()
        url = f"http://127.0.0.1:{pod.port}"
        wait_for(lambda: ready(url), f"{url}/readyz")
        assert answered(url, keys["alice"])
        container = inspected(tools, f"{pod.name}-gatehouse")
        assert container["HostConfig"]["ReadonlyRootfs"] is True
        assert container["Config"]["User"] == "10001:10001"
        grace = pod_of(rendered("dev").one("Deployment"))["terminationGracePeriodSeconds"]
        tools.run("podman", "stop", f"--time={grace}", f"{pod.name}-gatehouse")
        assert pod.state("gatehouse")["ExitCode"] == 0


class TestDevOverlay:
    """The image that `make image` builds, run as the dev overlay runs it: with the embedded model."""

    def test_migrates_starts_and_answers(self, tools: Containers) -> None:
        tools.build(DEV_IMAGE, **BUILT_WITH, EMBEDDED_MODEL="1")
        overlay = rendered("dev")
        assert overlay.one("ConfigMap")["data"]["GATEHOUSE_MODEL"] == "embedded"
        with gatehouse_database() as database, running_redis(tools.folder) as redis:
            stores = {"GATEHOUSE_DATABASE_URL": database, "GATEHOUSE_REDIS_URL": redis}
            job = Pod(tools, overlay.of_kind("Job")[0], stores, DEV_IMAGE, "embedded")
            job.play()
            job.finished("seed")
            pod = Pod(tools, overlay.one("Deployment"), stores, DEV_IMAGE, "embedded")
            pod.play()
            url = f"http://127.0.0.1:{pod.port}"
            wait_for(lambda: ready(url), f"{url}/readyz")
            assert answered(url, keys_of(tools, f"{pod.name}-gatehouse")["alice"])
            tools.run("podman", "stop", "--time=90", f"{pod.name}-gatehouse")
            assert pod.state("gatehouse")["ExitCode"] == 0
