"""nginx in front of the replicas, with the very file that deployments use."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bench.processes import Server, environment, free_port

CONFIGURATION = Path(__file__).parents[3] / "deploy" / "nginx.conf"
RELOAD_SECONDS = 0.3  # in which nginx has begun to use what it was told


def nginx_executable() -> str | None:
    """Return the path of nginx; Debian keeps it out of a user's PATH."""
    return shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/bin")


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

    def route(self, replicas: Sequence[Server]) -> None:
        self.write(
            "upstreams",
            "\n".join(f"server 127.0.0.1:{one.port} max_fails=1 fail_timeout=1s;" for one in replicas),
        )

    async def start(self) -> None:
        """Return when it answers for a replica."""
        self.server.start()
        await self.server.ready("/livez")

    async def reroute(self, replicas: Sequence[Server]) -> None:
        """Send new requests to these replicas from now on; the streams of the others go on."""
        self.route(replicas)
        await self.reload()

    async def reload(self) -> None:
        """Return when what was written is in use."""
        self.server.send(signal.SIGHUP)
        await asyncio.sleep(RELOAD_SECONDS)

    def tested(self) -> str:
        """Return what `nginx -t` says. Raises CalledProcessError when it does not like the file."""
        done = subprocess.run([*self.command, "-t"], capture_output=True, text=True, check=True, timeout=20)
        return done.stderr
