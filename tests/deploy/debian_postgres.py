"""PostgreSQL as Debian packages it, on TCP, set up by the script that compose and Kubernetes use."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from live_server import free_port
from manifests import ROOT

CREATE_ROLE = ROOT / "k8s/components/postgres/create-role.sh"
PASSWORD = "it's-a'quoted\"password"
QUOTED = "it%27s-a%27quoted%22password"


@contextmanager
def gatehouse_database() -> Iterator[str]:
    """Yield the URL of the database that create-role.sh made. Skips without Debian's PostgreSQL, or root."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    if not binaries or os.geteuid() != 0 or shutil.which("psql") is None:
        pytest.skip("no PostgreSQL of Debian's, or not root to start it")
    with tempfile.TemporaryDirectory(prefix="gh-deb-pg-") as name, server(binaries[-1].parent, name) as port:
        subprocess.run(
            [CREATE_ROLE],
            env={
                "PATH": os.environ["PATH"],
                "PGHOST": "127.0.0.1",
                "PGPORT": str(port),
                "POSTGRES_USER": "postgres",
                "GATEHOUSE_DATABASE_PASSWORD": PASSWORD,
            },
            check=True,
            timeout=30,
            stdout=subprocess.DEVNULL,
        )
        yield f"postgresql+psycopg://gatehouse:{QUOTED}@127.0.0.1:{port}/gatehouse"


@contextmanager
def server(binaries: Path, folder: str) -> Iterator[int]:
    shutil.chown(folder, "postgres", "postgres")
    data, port = f"{folder}/data", free_port()
    as_postgres(binaries / "initdb", f"--pgdata={data}", "--username=postgres", "--auth-host=trust")
    # passwords are asked of all but the superuser, as in the official image
    Path(data, "pg_hba.conf").write_text(
        "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
    )
    control = binaries / "pg_ctl"
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    as_postgres(control, "start", "--wait", f"--pgdata={data}", f"--options={options}", f"--log={folder}/log")
    try:
        yield port
    finally:
        as_postgres(control, "stop", f"--pgdata={data}", "--mode=immediate")


def as_postgres(*command: str | Path) -> None:
    subprocess.run(
        command, user="postgres", group="postgres", cwd="/", check=True, timeout=60, stdout=subprocess.DEVNULL
    )
