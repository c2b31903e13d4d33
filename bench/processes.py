"""Servers as real processes on loopback: started, signalled, asked when ready, and measured through /proc."""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import jwt

from gatehouse.storage.valkey import executable

ROOT = Path(__file__).parents[1]
# this tree's package, whichever is installed; the demonstration, and what is measured beside it
SOURCES = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
SECRET = "the-secret-of-a-throwaway-server-on-loopback"
GATEHOUSE = (str(Path(sys.executable).with_name("gatehouse")),)
START_SECONDS = 180  # on a machine that does much else
# one caller is the whole load here; what the limits cost is the same
AMPLE = json.dumps(
    {
        "default": dict.fromkeys(("requests_per_minute", "burst", "concurrent_runs", "open_streams"), 100_000)
        | dict.fromkeys(("tenant_requests_per_minute", "tenant_burst", "tenant_concurrent_runs"), 100_000)
        | dict.fromkeys(("tokens_per_day", "tenant_tokens_per_day"), 10**12)
    }
)
KILOBYTE = 1024


class Process(Protocol):
    """What is needed of a `subprocess.Popen`."""

    pid: int

    @property
    def returncode(self) -> int | None: ...
    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...


class NotStarted(Exception):
    """A server that did not answer; the message ends with its log."""


@dataclass(slots=True)
class Server:
    """One process. It can be started again after it was killed; `core` pins it to a CPU."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    port: int
    core: int | None = None
    process: Process | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def pid(self) -> int:
        if self.process is None:
            raise NotStarted(self.name)
        return self.process.pid

    def start(self) -> None:
        self.process = started(self.command, self.environment, self.folder, self.log)
        if self.core is not None:
            os.sched_setaffinity(self.process.pid, {self.core})

    async def ready(self, path: str) -> None:
        """Return when a GET of `path` is answered with less than a 500. Raises NotStarted."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            if self.process is None or self.process.poll() is not None:
                break
            with contextlib.suppress(OSError, TimeoutError):
                if 0 < await status_of(self.port, path) < 500:
                    return
            await asyncio.sleep(0.1)
        log = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
        raise NotStarted(f"{self.name} does not answer.\n{log}")

    def send(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    async def gone(self, seconds: float) -> None:
        """Return when the process has ended; one that takes longer is killed."""
        process = self.process
        if process is None:
            return
        try:
            await asyncio.to_thread(process.wait, seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    async def stop(self, seconds: float = 5) -> None:
        """End the process: politely, then not."""
        if self.process is not None and self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.send(signal.SIGTERM)
            await self.gone(seconds)

    def kill(self) -> None:
        """End the process, whatever it is doing."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def cpu_seconds(self) -> float:
        """Return the user and system time that the process has used, of all its threads (proc(5))."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Return the memory that the process holds (VmRSS)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * KILOBYTE


def started(command: Sequence[str], environment: Mapping[str, str], folder: Path, log: Path) -> Process:
    """Start a command, whose output is appended to its log."""
    with log.open("ab") as file:
        return subprocess.Popen(command, env=dict(environment), cwd=folder, stdout=file, stderr=file)


async def status_of(port: int, path: str) -> int:
    """Return the HTTP status of a GET, 0 when what came is not HTTP. Raises OSError, TimeoutError."""
    async with asyncio.timeout(2):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            words = (await reader.readline()).split()
        finally:
            writer.close()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0


def redis_server(folder: Path, core: int | None = None) -> Server:
    """Return a Valkey on TCP that keeps nothing on disk, not yet started."""
    port = free_port()
    arguments = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
    return Server("redis", (str(executable()), *arguments), environment(), folder, port, core)


async def redis_ready(server: Server) -> None:
    """Return when this Redis takes connections. Raises NotStarted."""
    for _ in range(100):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise NotStarted("Valkey does not answer.")


def gatehouse_server(name: str, folder: Path, settings: Mapping[str, str], core: int | None = None) -> Server:
    """Return a Gatehouse that answers with the scripted model, not yet started.

    Servers of the same folder share its database. `settings` are GATEHOUSE_ variables without the prefix.
    """
    port = free_port()
    command = (*GATEHOUSE, "serve", "--port", str(port))
    return Server(name, command, gatehouse_environment(folder, settings), folder, port, core)


def gatehouse_environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    ours = {"DATA_DIR": str(folder / "data"), "JWT_SECRET": SECRET, "MODEL": "scripted", "PLANS": AMPLE}
    # one tenant is the whole load: else half of a thousand streams would wait for the other half
    shares = {"MODEL_CONNECTIONS": "10000", "MODEL_TENANT_SHARE": "1"}
    given = {**ours, **shares, **settings}
    return {**environment(), **{f"GATEHOUSE_{name}": value for name, value in given.items()}}


async def migrate(folder: Path, settings: Mapping[str, str]) -> None:
    """Make the tables of the servers of this folder. Raises NotStarted."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *GATEHOUSE, "db", "upgrade", env=gatehouse_environment(folder, settings), cwd=folder,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    if process.returncode:
        raise NotStarted(f"gatehouse db upgrade failed.\n{output.decode(errors='replace')[-2000:]}")


def environment() -> dict[str, str]:
    """Return what every process needs of ours: none of the settings, keys and proxies that may be set."""
    ours = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**ours, "PYTHONPATH": SOURCES}


def bearer(user: str = "alice", **others: str) -> dict[str, str]:
    """Return the header of a caller whom every server of `gatehouse_server` knows, for an hour.

    `others` are more claims.
    """
    now = int(time.time())
    claims = {
        "iss": "gatehouse", "aud": "gatehouse", "sub": user, "tenant_id": "acme", "scope": "*",
        "iat": now, "exp": now + 3600, **others,
    }  # fmt: skip
    return {"authorization": f"Bearer {jwt.encode(claims, SECRET, algorithm='HS256')}"}


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, below those that outgoing connections get.

    A server that is killed and started again must find its port free.
    """
    for port in random.sample(range(20_000, first_given_port()), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise NotStarted("There is no free port.")


def first_given_port() -> int:
    """Return the lowest of the ports that outgoing connections get."""
    given = Path("/proc/sys/net/ipv4/ip_local_port_range")
    return int(given.read_text().split()[0]) if given.exists() else 49_152  # IANA's, as on macOS
