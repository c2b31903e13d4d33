"""`gatehouse serve` as a real process on loopback, with the scripted model and the demo's customers."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gatehouse_processes import GATEHOUSE, ServerProcess, executed, started
from migrated_databases import migrated_copy
from planted_words import quoting
from sqlalchemy import make_url

import gatehouse
from bench import processes
from gatehouse.auth.tokens.issuing import issue_token
from gatehouse.cli.database import brought_up_to_date
from gatehouse.cli.serving.development_keys import development_keys
from gatehouse.cli.stores import open_api_keys
from gatehouse.settings import Settings
from gatehouse.storage.opening import open_database
from tools.portfolio.seed import seed

ROOT = Path(__file__).parents[1]
# what is tested, also where another copy of it is installed, and the demonstration
PYTHONPATH = os.pathsep.join([str(Path(gatehouse.__file__).parents[1]), str(ROOT)])

SECRET = "the-secret-of-a-throwaway-server-on-loopback"
START_LINK = "the-sign-in-link-of-a-throwaway-server"
START_SECONDS = 110  # for imports that take 3 s of CPU, on a machine that is busy
STOP_SECONDS = 20
# tests ask more at once than a person does; those of the limits say what they are
AMPLE = json.dumps(
    {
        "default": {
            "requests_per_minute": 100_000,
            "burst": 100_000,
            "concurrent_runs": 10_000,
            "open_streams": 10_000,
        }
    }
)


class NotStarted(Exception):
    """The server does not serve; the message ends with its log."""


@dataclass(frozen=True, slots=True)
class LiveServer:
    """A server that serves. `keys` are API keys with every scope, of `alice` (acme) and `bob` (beta).

    What it prints is in `output`, what it logs in `log`. The sign-in link works once.
    """

    url: str
    port: int
    folder: Path
    keys: Mapping[str, str]
    process: ServerProcess

    @property
    def signin_link(self) -> str:
        return f"{self.url}/signin?link={START_LINK}"

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def output(self) -> str:
        return output_file(self.folder, self.port).read_text()

    @property
    def log(self) -> str:
        return log_file(self.folder, self.port).read_text()

    def token(
        self, user: str, tenant: str, scopes: tuple[str, ...] = ("*",), lifetime: float = 3600, **claims: Any
    ) -> str:
        """Return a JWT that the server accepts."""
        return issue_token(
            SECRET, "gatehouse", "gatehouse", user, tenant, scopes=scopes, lifetime=lifetime, claims=claims
        )

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """End the process politely and return its exit code; kill it when it does not end."""
        if self.process.poll() is None:
            self.send(signal.SIGTERM)
        return self.exit_code()

    def exit_code(self, seconds: float = STOP_SECONDS) -> int:
        """Return the exit code when the process has ended; one that takes longer is killed."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@contextmanager
def running_server(folder: Path, *arguments: str, **environment: str) -> Iterator[LiveServer]:
    """Yield a server that keeps its data in `folder`, and stop it in the end.

    `arguments` are those of `gatehouse serve`; `environment` holds further variables, such as
    `GATEHOUSE_RUN_DEADLINE="2"`, or the PORT. A second server in the same folder finds the data of the first. Raises
    NotStarted.
    """
    variables = server_environment(folder, **environment)
    keys = prepare(variables)
    with running([GATEHOUSE, "serve", *arguments], folder, variables, keys, started) as server:
        yield server


@contextmanager
def running(
    command: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    keys: Mapping[str, str],
    start: Callable[..., ServerProcess] = executed,
) -> Iterator[LiveServer]:
    """Yield the server that a command starts, and stop it in the end. Raises NotStarted."""
    port = int(variables.get("PORT") or free_port())
    process = start(
        command, {**variables, "PORT": str(port)}, folder, output_file(folder, port), log_file(folder, port)
    )
    server = LiveServer(f"http://127.0.0.1:{port}", port, folder, keys, process)
    try:
        wait_until_ready(server)
        yield server
    finally:
        server.stop()
        assert not (lines := quoting(server.log.splitlines())), f"logged of a question or an answer: {lines}"


def banner_of(server: LiveServer) -> list[str]:
    """Return the lines of the banner when it is complete."""
    until = time.monotonic() + 20
    while "Ctrl+C stops the server." not in server.output:
        assert time.monotonic() < until, server.output + server.log
        time.sleep(0.05)
    return server.output.splitlines()


def output_file(folder: Path, port: int) -> Path:
    return folder / f"output-{port}.txt"


def log_file(folder: Path, port: int) -> Path:
    return folder / f"log-{port}.txt"


def server_environment(folder: Path, **more: str) -> dict[str, str]:
    """Return the variables of a process that uses `folder`: no setting, key or proxy of ours."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    coverage = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return {
        **inherited,
        **coverage,
        "PYTHONPATH": PYTHONPATH,
        "GATEHOUSE_MIGRATIONS": "tools.migrations",
        "GATEHOUSE_DATA_DIR": str(folder / "data"),
        "GATEHOUSE_MODEL": "scripted",
        "GATEHOUSE_JWT_SECRET": SECRET,
        "GATEHOUSE_START_LINK": START_LINK,
        "GATEHOUSE_PLANS": AMPLE,
        "GATEHOUSE_FRONTEND_DIR": str(folder / "no-client"),  # whether or not somebody has built it here
        **more,
    }


def prepare(variables: Mapping[str, str]) -> dict[str, str]:
    """Migrate and seed the server's database as `make run` does, and return the demo's keys by user.

    A file of its own in a new folder is a copy of one for which that was done.
    """
    settings = Settings(
        _env_file=None,
        **{  # type: ignore[arg-type]  # variables are texts
            name.removeprefix("GATEHOUSE_").lower(): value
            for name, value in variables.items()
            if name.startswith("GATEHOUSE_")
        },
    )

    file = Path(make_url(settings.database).database or "")
    if settings.database_url is None and not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        migrated_copy(file, seeded=True)

    async def migrate_and_seed() -> dict[str, str]:
        await brought_up_to_date(settings)
        async with open_database(settings) as engine:
            await seed(engine)
        async with open_api_keys(settings) as api_keys:
            keys = await development_keys(api_keys, settings.data_dir)
        return {key.user.user_id: key.key for key in keys}

    with ThreadPoolExecutor(1) as elsewhere:  # the caller may have an event loop of its own
        return elsewhere.submit(asyncio.run, migrate_and_seed()).result()


def wait_until_ready(server: LiveServer) -> None:
    """Return when /readyz answers 200. Raises NotStarted."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.process.poll() is None:
        if is_ready(server.port):
            return
        time.sleep(0.05)
    raise NotStarted(server.log[-3000:])


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    return False


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on, and that no connection is given before a server takes it."""
    return processes.free_port()
