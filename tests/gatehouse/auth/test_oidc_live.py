"""Signing in, out, and calling with tokens of a real third-party issuer, over real HTTP."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from live_server import LiveServer, running_server
from oidc_provider import Browser, OidcProvider, running_provider

MAX_AGE = 4.0
SETTINGS = {
    "GATEHOUSE_JWT_SECRET": "",
    "GATEHOUSE_CLAIM_TENANT_ID": "https://gatehouse.test/tenant",
    "GATEHOUSE_CLAIM_SCOPES": "gatehouse.roles",
    "GATEHOUSE_OIDC_NAME": "Example & Co",
    "GATEHOUSE_OIDC_GRANTS": "runnable:summarize",
    "GATEHOUSE_JWKS_COOLDOWN": "1",
    "GATEHOUSE_JWKS_MAX_AGE": str(MAX_AGE),
}
SECRET = {"GATEHOUSE_OIDC_CLIENT_ID": "web", "GATEHOUSE_OIDC_CLIENT_SECRET": "the web client's secret: 100 %"}


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def gatehouse(
    provider: OidcProvider, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> Iterator[LiveServer]:
    with running_server(
        tmp_path_factory.mktemp("oidc"),
        GATEHOUSE_ISSUER=provider.url,
        GATEHOUSE_REDIS_URL=redis_url,
        **SETTINGS,
        **SECRET,
    ) as server:
        provider.set_up(server.url)
        yield server


@pytest.fixture
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


def login(server: LiveServer, wanted: str = "/docs") -> str:
    return f"{server.url}/auth/login?next={wanted}"


def cookie(browser: Browser) -> str | None:
    return next((kept.value for kept in browser.client.cookies.jar if kept.name == "gatehouse"), None)


def status(server: LiveServer, session: str | None) -> int:
    headers = {"cookie": f"gatehouse={session}"}
    return httpx.get(f"{server.url}/api/threads", headers=headers).status_code


class TestSignIn:
    def test_leads_back_to_the_page_that_was_wanted(self, gatehouse: LiveServer, browser: Browser) -> None:
        page = browser.open(f"{gatehouse.url}/signin?next=/docs")
        assert (
            '<a class="button" href="/auth/login?next=/docs">Sign in with Example &amp; Co</a>' in page.text
        )
        arrived = browser.sign_in(login(gatehouse), "alice")
        assert (arrived.status_code, arrived.url.path) == (200, "/docs")
        home = browser.open(f"{gatehouse.url}/").text
        assert "Signed in as <strong>Alice</strong> of <strong>acme</strong>" in home

    def test_gives_the_scopes_of_the_claim_and_those_of_everybody(
        self, gatehouse: LiveServer, browser: Browser
    ) -> None:
        browser.sign_in(login(gatehouse), "bob")
        home = browser.open(f"{gatehouse.url}/").text
        assert "of <strong>beta</strong>" in home
        assert "/chat/playground/" in home
        assert "/summarize/playground/" in home
        assert "/agent/playground/" not in home

    def test_asks_with_pkce_state_and_nonce(self, gatehouse: LiveServer, provider: OidcProvider) -> None:
        answer = httpx.get(login(gatehouse))
        asked = parse_qs(urlsplit(answer.headers["location"]).query)
        assert answer.headers["location"].startswith(f"{provider.url}/auth?")
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["redirect_uri"] == [f"{gatehouse.url}/auth/callback"]
        assert asked["scope"] == ["openid profile"]
        assert {len(asked[name][0]) for name in ("state", "nonce", "code_challenge")} == {43}
        assert "httponly" in answer.headers["set-cookie"].lower()
        assert "samesite=lax" in answer.headers["set-cookie"].lower()

    def test_never_leads_to_another_site(self, gatehouse: LiveServer, browser: Browser) -> None:
        arrived = browser.sign_in(login(gatehouse, "//evil.example"), "alice")
        assert (str(arrived.url), arrived.status_code) == (f"{gatehouse.url}/", 200)

    def test_in_two_tabs_works_in_both(self, gatehouse: LiveServer, browser: Browser) -> None:
        first, second = browser.open(login(gatehouse, "/")), browser.open(login(gatehouse, "/docs"))
        consent = browser.submit(second, login="alice", password="any")
        assert browser.submit(consent).url.path == "/docs"
        assert browser.open(str(first.url)).status_code == 200

    def test_that_somebody_gives_up_can_be_tried_again(
        self, gatehouse: LiveServer, browser: Browser, provider: OidcProvider
    ) -> None:
        page = browser.open(login(gatehouse))
        refused = browser.open(f"{page.url}/abort")
        assert refused.status_code == 401
        assert "Signing in with Example &amp; Co did not work" in refused.text
        assert 'href="/auth/login?next=/"' in refused.text
        assert cookie(browser) is None

    def test_works_for_a_public_client(
        self, provider: OidcProvider, tmp_path: Path, browser: Browser, redis_url: str, gatehouse: LiveServer
    ) -> None:
        settings = {**SETTINGS, "GATEHOUSE_OIDC_CLIENT_ID": "public", "GATEHOUSE_REDIS_URL": redis_url}
        with running_server(tmp_path, GATEHOUSE_ISSUER=provider.url, **settings) as server:
            provider.set_up(server.url)
            try:
                assert browser.sign_in(login(server), "alice").url.path == "/docs"
            finally:
                provider.set_up(gatehouse.url)


class TestCallback:
    @pytest.fixture
    def answer(self, gatehouse: LiveServer, browser: Browser) -> str:
        """The URL by which the provider sends the browser back, not yet opened."""
        stopped = browser.sign_in(login(gatehouse), "alice", stop=gatehouse.url)
        return str(stopped.headers["location"])

    def test_is_good_once(self, browser: Browser, answer: str) -> None:
        assert browser.open(answer).url.path == "/docs"
        assert browser.open(answer).status_code == 401

    def test_is_no_use_in_another_browser(self, browser: Browser, answer: str) -> None:
        with Browser() as victim:
            victim.open(answer.partition("/auth/callback")[0] + "/auth/login")
            assert victim.open(answer).status_code == 401
            assert cookie(victim) is None
        assert browser.open(answer).status_code == 401, "it was seen by two"

    @pytest.mark.parametrize(
        ("name", "value"),
        [("state", "x"), ("state", ""), ("state", "x" * 5000), ("code", "x"), ("code", ""),
         ("code", "x" * 5000), ("iss", "https://evil.example"), ("iss", ""), ("error", "access_denied"),
         ("error", "<script>")],
    )  # fmt: skip
    def test_with_another_answer_is_refused(
        self, browser: Browser, answer: str, name: str, value: str
    ) -> None:
        refused = browser.client.get(httpx.URL(answer).copy_set_param(name, value))
        assert refused.status_code == 401
        assert "set-cookie" not in refused.headers
        assert "<script>" not in refused.text

    def test_ends_the_session_that_the_browser_had(
        self, gatehouse: LiveServer, browser: Browser, answer: str
    ) -> None:
        browser.open(answer)
        before = cookie(browser)
        browser.open(login(gatehouse))
        assert cookie(browser) != before
        assert (status(gatehouse, before), status(gatehouse, cookie(browser))) == (401, 200)


class TestSignOut:
    def test_ends_the_session_here_and_at_the_issuer(
        self, gatehouse: LiveServer, browser: Browser, provider: OidcProvider
    ) -> None:
        browser.sign_in(login(gatehouse), "alice")
        session = cookie(browser)
        leaving = browser.submit(browser.open(f"{gatehouse.url}/"))
        assert leaving.status_code == 200
        assert status(gatehouse, session) == 401
        onwards = httpx.URL(leaving.text.split('content="0;url=')[1].split('"')[0].replace("&amp;", "&"))
        assert str(onwards).startswith(f"{provider.url}/session/end?")
        back = browser.submit(browser.open(str(onwards)), logout="yes")
        assert str(back.url) == f"{gatehouse.url}/signin"
        assert "placeholder" in browser.open(login(gatehouse)).text, "the provider asks who it is"

    def test_of_a_session_that_did_not_begin_there_ends_here(
        self, gatehouse: LiveServer, browser: Browser
    ) -> None:
        page = browser.open(f"{gatehouse.url}/signin")
        browser.submit(page, credential=gatehouse.keys["alice"])
        assert browser.submit(browser.open(f"{gatehouse.url}/")).url.path == "/signin"


class TestBackChannelLogout:
    def test_ends_the_session_that_the_issuer_ended(
        self, gatehouse: LiveServer, browser: Browser, provider: OidcProvider
    ) -> None:
        with Browser() as elsewhere:
            elsewhere.sign_in(login(gatehouse), "alice")
            other = cookie(elsewhere)
            browser.sign_in(login(gatehouse), "alice")
            session = cookie(browser)
            page = browser.open(f"{provider.url}/session/end")
            browser.submit(page, logout="yes")
            assert (status(gatehouse, session), status(gatehouse, other)) == (401, 200)

    def test_ends_the_stream_that_the_session_began(
        self, gatehouse: LiveServer, browser: Browser, provider: OidcProvider
    ) -> None:
        browser.sign_in(login(gatehouse), "alice")
        headers = {"cookie": f"gatehouse={cookie(browser)}", "sec-fetch-site": "same-origin"}
        stream = Streaming(gatehouse, headers, "[delay 0.2] [tokens 1000]")
        stream.begun.wait(10)
        began = time.monotonic()
        browser.submit(browser.open(f"{provider.url}/session/end"), logout="yes")
        assert stream.finished() == "failed"
        assert time.monotonic() - began < 30
        assert "urn:gatehouse:problem:credential-expired" in stream.events[-2]


class TestIdToken:
    def test_is_no_credential(self, gatehouse: LiveServer, browser: Browser, provider: OidcProvider) -> None:
        browser.sign_in(login(gatehouse), "alice")
        leaving = browser.submit(browser.open(f"{gatehouse.url}/"))
        id_token = leaving.text.split("id_token_hint=")[1].split("&amp;")[0]
        assert id_token.startswith("eyJ")
        refused = httpx.get(f"{gatehouse.url}/api/threads", headers={"authorization": f"Bearer {id_token}"})
        assert refused.status_code == 401

    def test_is_not_logged(self, gatehouse: LiveServer) -> None:
        assert "eyJ" not in gatehouse.log
        assert "client's secret" not in gatehouse.log


class TestRotation:
    """The provider's keys change while a stream runs."""

    def test_keeps_streams_takes_new_keys_and_drops_removed_ones(
        self, gatehouse: LiveServer, provider: OidcProvider
    ) -> None:
        old = provider.access_token()
        assert invoke(gatehouse, old) == 200
        stream = Streaming(gatehouse, {"authorization": f"Bearer {old}"}, SLOW)
        provider.set_up(gatehouse.url, ["second", "first"])
        new = provider.access_token()
        eventually(gatehouse, new, 200)  # after the cooldown of what was fetched before
        assert invoke(gatehouse, old) == 200
        provider.set_up(gatehouse.url, ["second"])
        eventually(gatehouse, old, 401)  # after the age of what was fetched before
        assert invoke(gatehouse, new) == 200
        assert stream.finished() == "completed"
        provider.set_up(gatehouse.url)

    def test_unknown_keys_cost_at_most_a_fetch_a_cooldown(
        self, gatehouse: LiveServer, provider: OidcProvider
    ) -> None:
        rest = provider.access_token().partition(".")[2]
        before, started = provider.jwks_requests(), time.monotonic()
        forged = [f"{head_with(f'unknown {n}')}.{rest}" for n in range(100)]
        with httpx.Client(base_url=gatehouse.url) as client:
            statuses = {
                client.get("/api/threads", headers={"authorization": f"Bearer {text}"}).status_code
                for text in forged
            }
        assert statuses == {401}
        assert provider.jwks_requests() - before <= (time.monotonic() - started) / 1.0 + 2


class Streaming:
    """A stream of a slow answer, read in a thread."""

    def __init__(self, server: LiveServer, headers: dict[str, str], query: str) -> None:
        self.events: list[str] = []
        self.begun = threading.Event()
        self.thread = threading.Thread(target=self._read, args=(server, headers, query))
        self.thread.start()

    def _read(self, server: LiveServer, headers: dict[str, str], query: str) -> None:
        url = f"{server.url}/api/chat/stream"
        with httpx.stream("POST", url, json={"query": query}, headers=headers, timeout=60) as answer:
            for line in answer.iter_lines():
                if line.startswith("data:"):
                    self.events.append(line)
                    self.begun.set()

    def finished(self) -> str:
        """Return the status that the stream ended with."""
        self.thread.join(60)
        assert '"type":"end"' in self.events[-1].replace(" ", "")
        return self.events[-1].partition('"status":')[2].strip().split('"')[1]


SLOW = "[delay 0.05] [tokens 200]"  # ten seconds: longer than the keys are kept


def invoke(server: LiveServer, token: str) -> int:
    return httpx.get(f"{server.url}/api/threads", headers={"authorization": f"Bearer {token}"}).status_code


def eventually(server: LiveServer, token: str, status: int) -> None:
    until = time.monotonic() + MAX_AGE + 20
    while invoke(server, token) != status:
        assert time.monotonic() < until, f"it is not answered with {status}"
        time.sleep(0.1)


def head_with(kid: str) -> str:
    return jwt.utils.base64url_encode(
        f'{{"alg": "RS256", "typ": "at+jwt", "kid": "{kid}"}}'.encode()
    ).decode()
