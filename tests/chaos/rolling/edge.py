"""nginx in front of the replicas, with the very file that deployments use."""

import asyncio
import contextlib
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from bench.processes import Server, environment, free_port

CONFIGURATION = Path(__file__).parents[3] / "deploy" / "nginx.conf"
RELOAD_SECONDS = 20


def nginx_executable() -> str | None:
    """Return the path of nginx; Debian keeps it out of a user's PATH."""
    return shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/bin")


class Listening(Protocol):
    """What is needed of a replica."""

    @property
    def port(self) -> int: ...


class Edge:
    """One nginx. Where it listens and who is behind it are in files beside deploy/nginx.conf."""

    def __init__(self, folder: Path) -> None:
        executable = nginx_executable()
        if executable is None:
            raise FileNotFoundError("nginx")
        self.folder = folder / "edge"
        (self.folder / "gatehouse").mkdir(parents=True)
        shutil.copy(CONFIGURATION, self.folder / "nginx.conf")
        self.port = free_port()
        self.write("listen", f"listen 127.0.0.1:{self.port};")
        self.command = [executable, "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)]
        command = [*self.command, "-g", "daemon off;"]
        self.server = Server("nginx", command, environment(), self.folder, self.port)

    @property
    def url(self) -> str:
        return self.server.url

    def write(self, name: str, text: str) -> None:
        (self.folder / "gatehouse" / f"{name}.conf").write_text(text + "\n")

    def route(self, replicas: Sequence[Listening]) -> None:
        self.write(
            "upstreams",
            "\n".join(f"server 127.0.0.1:{one.port} max_fails=1 fail_timeout=1s;" for one in replicas),
        )

    async def start(self) -> None:
        """Return when it answers for a replica."""
        self.server.start()
        await self.server.ready("/livez")

    def end(self) -> None:
        """End it with its workers, whom a master that is killed leaves behind."""
        if self.server.process is not None:
            self.server.send(signal.SIGTERM)
            self.server.process.wait(RELOAD_SECONDS)

    async def reroute(self, replicas: Sequence[Listening]) -> None:
        """Send new requests to these replicas from now on; the streams of the others go on."""
        self.route(replicas)
        await self.reload()

    async def reload(self) -> None:
        """Return when what was written is in use: new workers run, and no old one takes connections."""
        old = self.taking_connections()
        self.server.send(signal.SIGHUP)
        async with asyncio.timeout(RELOAD_SECONDS):
            while not (now := self.taking_connections()) or now & old:
                await asyncio.sleep(0.02)

    def taking_connections(self) -> set[int]:
        """Return the pids of the workers that do; one that shuts down says so in its title."""
        taking = set()
        for pid in Path(f"/proc/{self.server.pid}/task/{self.server.pid}/children").read_text().split():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0 ") == b"nginx: worker process":
                    taking.add(int(pid))
        return taking

    def tested(self) -> str:
        """Return what `nginx -t` says. Raises CalledProcessError when it does not like the file."""
        done = subprocess.run([*self.command, "-t"], capture_output=True, text=True, check=True, timeout=20)
        return done.stderr
