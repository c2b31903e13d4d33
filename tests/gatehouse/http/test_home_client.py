"""The web client's build as it is served: its page under every address of its own, its assets for ever."""

import gzip
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from live_app import LiveApp

Serve = Callable[..., LiveApp]

PAGE = '<!doctype html><title>The client</title><script type="module" src="/assets/app-1.js"></script>'
SCRIPT = "console.log(1);" * 100
THREAD = "/threads/0198c0de-0000-7000-8000-000000000001"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build as Vite makes it."""
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE)
    (folder / "assets" / "app-1.js").write_text(SCRIPT)
    (folder / "assets" / "app-1.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    (folder / "assets" / "app-1.css").write_text("body {}")
    (folder / "secret.txt").write_text("not to be served")
    return folder


@pytest.fixture
def live(serve: Serve, build: Path) -> LiveApp:
    return serve("/chat", frontend_dir=build)


@pytest.mark.parametrize("path", ["/", THREAD, "/transports", "/approvals"])
def test_every_address_of_the_client_is_its_page(live: LiveApp, path: str) -> None:
    with live.client() as client:
        response = client.get(path)
    assert (response.status_code, response.text) == (200, PAGE)
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert response.headers["cache-control"] == "no-cache"  # a new release is seen at once
    policy = response.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'self'" in policy


@pytest.mark.parametrize(
    ("accepted", "encoding"), [("gzip, br", "gzip"), ("identity", None)], ids=["gzip", "plain"]
)
def test_assets_are_kept_for_ever_and_compressed_where_that_is_taken(
    live: LiveApp, accepted: str, encoding: str | None
) -> None:
    with live.client() as client:
        response = client.get("/assets/app-1.js", headers={"accept-encoding": accepted})
    assert response.text == SCRIPT
    assert response.headers.get("content-encoding") == encoding
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert "accept-encoding" in response.headers["vary"]
    assert response.headers["content-type"] == "text/javascript; charset=utf-8"


def test_an_asset_without_a_compressed_copy_is_sent_as_it_is(live: LiveApp) -> None:
    with live.client() as client:
        response = client.get("/assets/app-1.css")
    assert (response.text, response.headers["content-type"]) == ("body {}", "text/css; charset=utf-8")
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/assets/other.js", 404), ("/assets/..%2fsecret.txt", 404), ("/assets/../secret.txt", 404),
        ("/assets/.hidden", 422), ("/assets/", 404),
    ],
)  # fmt: skip
def test_nothing_else_is_served(live: LiveApp, path: str, status: int) -> None:
    with live.client() as client:
        response = client.send(client.build_request("GET", httpx.URL(live.url + path)))
    assert response.status_code == status
    assert "not to be served" not in response.text


def test_somebody_who_is_not_signed_in_gets_neither_page_nor_asset(live: LiveApp) -> None:
    with live.client({}) as client:
        assert client.get(THREAD).status_code == 401
        assert client.get("/assets/app-1.js").status_code == 401
        browser = {"sec-fetch-mode": "navigate", "accept": "text/html"}
        response = client.get(THREAD, headers=browser)
    assert (response.status_code, response.headers["location"]) == (303, f"/signin?next={THREAD}")


def test_without_a_build_the_list_of_runnables_is_the_home_page(serve: Serve, tmp_path: Path) -> None:
    with serve("/chat", frontend_dir=tmp_path / "none").client() as client:
        assert "/chat/playground/" in client.get("/").text
        assert client.get(THREAD).status_code == 404
        assert client.get("/assets/app-1.js").status_code == 404
