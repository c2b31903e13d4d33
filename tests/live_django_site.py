"""`examples/django_site` as real processes on loopback, with the packages that it pins in a venv of its own."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from live_server import free_port
from websockets.sync.client import ClientConnection, connect

SITE = Path(__file__).parent.parent / "examples" / "django_site"
PASSWORD = "a-password-of-throwaway-users"
ISSUER = "http://localhost:8001"
INSTALL_SECONDS = 300
START_SECONDS = 60


def installed(cache: Path) -> Path:
    """Return the Python of a venv with the site's requirements; made once for each lock file."""
    lock = SITE / "requirements.txt"
    venv = cache / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    python, complete = venv / "bin" / "python", venv / "complete"
    if not complete.exists():
        uv = Path(sys.executable).with_name("uv")
        install = ["pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", str(lock)]
        for command in (["venv", "--quiet", "--clear", "--python", sys.executable, str(venv)], install):
            where = ["--python", str(python)] if command is install else []
            subprocess.run([str(uv), *command, *where], check=True, timeout=INSTALL_SECONDS)
        complete.touch()
    return python


@dataclass(frozen=True, slots=True)
class Installation:
    """The site with its data: users, keys, database."""

    python: Path
    folder: Path

    @property
    def jwks_file(self) -> Path:
        return self.folder / "jwks.json"

    def environment(self, **more: str) -> dict[str, str]:
        inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        return {**inherited, "SITE_DATA_DIR": str(self.folder), "SITE_ISSUER": ISSUER, **more}

    def manage(self, *arguments: str, code: str = "", **environment: str) -> str:
        """Return what `manage.py` printed; `code` is what its shell runs."""
        done = subprocess.run(
            [str(self.python), "manage.py", *arguments],
            cwd=SITE,
            env=self.environment(**environment),
            input=code,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@dataclass(frozen=True, slots=True)
class LiveSite:
    """A daphne that serves the site."""

    url: str
    process: subprocess.Popen[bytes]
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text()

    @contextmanager
    def visitor(self, user: str) -> Iterator[httpx.Client]:
        """Yield a browser's worth of HTTP: signed in, with the header that carries the CSRF token."""
        with httpx.Client(base_url=self.url, timeout=30, follow_redirects=True) as client:
            client.get("/sign-in/").raise_for_status()
            form = {
                "username": user,
                "password": PASSWORD,
                "csrfmiddlewaretoken": client.cookies["csrftoken"],
            }
            client.post("/sign-in/", data=form).raise_for_status()
            client.headers["x-csrftoken"] = client.cookies["csrftoken"]
            yield client

    def socket(self, path: str, visitor: httpx.Client | None = None, **options: Any) -> ClientConnection:
        """Return an open WebSocket with the visitor's cookies, from a page of this site."""
        cookies = "; ".join(f"{name}={value}" for name, value in (visitor.cookies if visitor else {}).items())
        options = {"origin": self.url, "additional_headers": {"cookie": cookies}, "proxy": None, **options}
        opened: ClientConnection = connect(self.url.replace("http", "ws") + path, **options)
        return opened


def prepared(python: Path, folder: Path) -> Installation:
    """Return the site with the users `alice` and `bob`."""
    site = Installation(python, folder)
    site.manage("prepare", "--demo", "--password", PASSWORD)
    return site


@contextmanager
def running_site(site: Installation, gatehouse_url: str, **environment: str) -> Iterator[LiveSite]:
    """Yield a daphne of this installation, and stop it in the end."""
    port = free_port()
    log = site.folder / f"daphne-{port}.log"
    daphne = [
        str(site.python),
        "-m",
        "daphne",
        "-b",
        "127.0.0.1",
        "-p",
        str(port),
        "chatsite.asgi:application",
    ]
    variables = site.environment(GATEHOUSE_URL=gatehouse_url, **environment)
    with log.open("wb") as output:
        process = subprocess.Popen(daphne, cwd=SITE, env=variables, stdout=output, stderr=output)
    running = LiveSite(f"http://127.0.0.1:{port}", process, log)
    try:
        wait_until_it_serves(running)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_it_serves(site: LiveSite) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and site.process.poll() is None:
        try:
            if httpx.get(f"{site.url}/.well-known/jwks.json").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"the site does not serve: {site.log[-3000:]}")
