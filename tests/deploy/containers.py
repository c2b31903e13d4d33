"""Builds images and runs containers without a daemon: buildah, podman and runc, in a store of their own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from manifests import ROOT

TOOLS = ("buildah", "podman", "runc", "catatonit", "debootstrap", "node", "npm", "tar")
BUILD_SECONDS = 1200  # beside other tests
DEBIAN = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates,libstdc++6,libgomp1,binutils"
# no image from Docker's registry has these either
NOT_IN_IMAGES = ["var/cache/apt/*", "var/lib/apt/lists/*", "var/log/*", "usr/share/doc/*", "usr/share/man/*"]
NOT_IN_IMAGES += ["usr/share/locale/*", "proc/*", "sys/*", "dev/*"]
BINUTILS = ["usr/bin/x86_64-linux-gnu-*", "usr/lib/x86_64-linux-gnu/lib*bfd*"]
BINUTILS += ["usr/lib/x86_64-linux-gnu/lib*opcodes*", "usr/lib/x86_64-linux-gnu/libgprofng*"]
BUILD_ONLY = [
    "usr/lib/*-linux-gnu/libgomp.so*"
]  # as in Docker's images: with the compilers, not in a slim one
CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")

STORAGE = """
[storage]
driver = "vfs"
graphroot = "{folder}/store"
runroot = "{folder}/run"
"""
CONTAINERS = """
[containers]
netns = "host"
default_ulimits = ["nofile=4096:4096", "nproc=2048:2048"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{folder}/run/libpod"
static_dir = "{folder}/store/libpod"
volume_path = "{folder}/store/volumes"
"""


@dataclass(frozen=True, slots=True)
class Containers:
    """The commands, and the folder that holds all they make."""

    folder: Path

    def run(self, *command: str, seconds: float = 120) -> str:
        """Return what a command prints. Fails the test with its stderr when it fails."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert done.returncode == 0, f"{' '.join(command[:3])}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        return done.stdout

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            **os.environ,
            "CONTAINERS_CONF": str(self.folder / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.folder / "storage.conf"),
            "TMPDIR": str(self.folder / "tmp"),
        }

    def build(
        self, image: str, context: Path = ROOT, file: Path | None = None, target: str = "", **arguments: str
    ) -> None:
        """Build a folder's Dockerfile with build arguments; pip's settings and the CA bundle go in as secrets."""
        pip = self.folder / "pip.conf"
        pip.write_text("[global]\ntimeout = 120\n" + index_of_this_machine())
        secrets = [f"--secret=id=pipconf,src={pip}"]
        if CA_BUNDLE.exists():
            secrets.append(f"--secret=id=ca,src={CA_BUNDLE}")
        self.run(
            *("buildah", "bud", "--isolation=chroot", "--format=docker", "--pull-never", f"--tag={image}"),
            *(f"--build-arg={name}={value}" for name, value in arguments.items()),
            *secrets,
            *([f"--file={file}"] if file else []),
            *([f"--target={target}"] if target else []),
            str(context),
            seconds=BUILD_SECONDS,
        )


@contextmanager
def container_tools() -> Iterator[Containers]:
    """Yield the tools with an empty store, which is removed in the end. Skips where there is no builder."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"no builder of images: needs root and {', '.join(missing) or 'no more'}")
    with tempfile.TemporaryDirectory(prefix="gh-image-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        (folder / "storage.conf").write_text(STORAGE.format(folder=folder))
        (folder / "containers.conf").write_text(CONTAINERS.format(folder=folder))
        tools = Containers(folder)
        try:
            yield tools
        finally:
            tools.run("podman", "pod", "rm", "--all", "--force")
            tools.run("podman", "rm", "--all", "--force")


def make_base_images(tools: Containers, runtime: str, build: str) -> None:
    """Import stand-ins for the base images: Debian with its own Python, and the same with this Node and strip."""
    root = tools.folder / "debian"
    tools.run(
        "debootstrap", "--variant=minbase", f"--include={PACKAGES}", DEBIAN, str(root), seconds=BUILD_SECONDS
    )
    import_root(tools, runtime, root, NOT_IN_IMAGES + BINUTILS + BUILD_ONLY)
    copy_node(root / "usr" / "local")
    import_root(tools, build, root, NOT_IN_IMAGES)
    shutil.rmtree(root)


def import_root(tools: Containers, image: str, root: Path, left_out: list[str]) -> None:
    archive = tools.folder / "root.tar"
    tools.run(
        *("tar", "--create", "--numeric-owner", f"--file={archive}", f"--directory={root}"),
        *(f"--exclude=./{pattern}" for pattern in left_out),
        ".",
    )
    tools.run("podman", "import", str(archive), image)
    archive.unlink()


def copy_node(target: Path) -> None:
    """Copy this machine's Node and npm to where Docker's image has them."""
    node, npm = (Path(str(shutil.which(tool))).resolve() for tool in ("node", "npm"))
    shutil.copy2(node, target / "bin" / "node")
    package = next(folder for folder in npm.parents if (folder / "package.json").exists())
    shutil.copytree(package, target / "lib" / "node_modules" / "npm", symlinks=True)
    (target / "bin" / "npm").symlink_to("../lib/node_modules/npm/bin/npm-cli.js")


def index_of_this_machine() -> str:
    """Return the lines of pip's configuration that say where packages are, but not in which of its folders."""
    listed = subprocess.run(
        ["python3", "-m", "pip", "config", "list"], capture_output=True, text=True, timeout=60, check=False
    ).stdout
    found = dict(line.partition("=")[::2] for line in listed.splitlines() if "=" in line)
    index = found.get("global.index-url", "").strip("'")
    return f"index-url = {index}\n" if index else ""
