"""A certified OpenID provider on loopback: `oidc-provider` of npm (tests/oidc)."""

import fcntl
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

HERE = Path(__file__).parent / "oidc"
START_SECONDS = 20
INSTALL_SECONDS = 100
FORM = re.compile(r'<form[^>]* action="([^"]*)"[^>]*>(.*?)</form>', re.DOTALL)
HIDDEN = re.compile(r'<input type="hidden" name="([^"]*)" value="([^"]*)"')


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """An issuer that runs. Anybody may sign in there; bob is of the tenant beta, all others of acme."""

    url: str

    def set_up(self, gatehouse: str, keys: Sequence[str] = ("first",), *, narrow: bool = False) -> None:
        """Serve this Gatehouse, with the keys of these ids; the first one signs.

        `narrow` makes tokens for the resource alone that a client asks for (RFC 8707).
        """
        said = {"gatehouse": gatehouse, "keys": keys, "narrow": narrow}
        httpx.post(f"{self.url}/test/setup", json=said).raise_for_status()

    def access_token(self) -> str:
        """Return an access token for `robot`, by client credentials."""
        answer = httpx.post(
            f"{self.url}/token",
            auth=("robot", "the%20robot%27s%20secret"),  # RFC 6749 section 2.3.1: form-encoded first
            data={"grant_type": "client_credentials", "scope": "runnable:chat"},
        )
        return str(answer.raise_for_status().json()["access_token"])

    def jwks_requests(self) -> int:
        return int(httpx.get(f"{self.url}/test/jwks-requests").text)


@contextmanager
def running_provider() -> Iterator[OidcProvider]:
    """Yield a provider with one key, and stop it in the end. Skips without Node."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("no Node on the PATH for oidc-provider")
    install(npm)
    process = subprocess.Popen(
        [node, "provider.js"], cwd=HERE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().strip()
        assert url, "the provider did not start"
        yield OidcProvider(url)
    finally:
        process.terminate()
        process.wait(START_SECONDS)
        process.stdout.close()


def install(npm: str) -> None:
    """Install what the lock file says, once: workers of a parallel run wait for the first."""
    with (HERE / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = HERE / "node_modules" / ".package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < Path(lock.name).stat().st_mtime:
            command = [npm, "ci", "--no-audit", "--no-fund"]
            subprocess.run(command, cwd=HERE, check=True, capture_output=True, timeout=INSTALL_SECONDS)


class Browser:
    """Follows redirects and sends forms, as a person's browser does, each site with its own cookies."""

    def __init__(self) -> None:
        self.client = httpx.Client(timeout=20)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def open(self, url: str, stop: str = "") -> httpx.Response:
        """Return the page that a URL leads to, or what redirects to a URL that begins with `stop`."""
        return self._followed(self.client.get(url, headers={"accept": "text/html"}), stop)

    def submit(self, page: httpx.Response, stop: str = "", **fields: str) -> httpx.Response:
        """Send the page's form, filled in, and return where that leads to."""
        form = FORM.search(page.text)
        assert form is not None, page.text
        data = {unescape(name): unescape(value) for name, value in HIDDEN.findall(form[2])}
        target = urljoin(str(page.url), unescape(form[1]))
        headers = {"origin": f"{page.url.scheme}://{page.url.netloc.decode()}"}
        return self._followed(self.client.post(target, data={**data, **fields}, headers=headers), stop)

    def sign_in(self, url: str, user: str, stop: str = "") -> httpx.Response:
        """Sign in at the provider that a URL leads to, and return where that leads to."""
        consent = self.submit(self.open(url), login=user, password="any")
        return self.submit(consent, stop)

    def _followed(self, response: httpx.Response, stop: str) -> httpx.Response:
        for _ in range(10):
            if not response.has_redirect_location:
                return response
            target = urljoin(str(response.url), response.headers["location"])
            if stop and target.startswith(stop):
                return response
            response = self.client.get(target, headers={"accept": "text/html", "sec-fetch-mode": "navigate"})
        raise AssertionError("too many redirects")
