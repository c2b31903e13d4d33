"""The page at /: who is signed in, what is served, where to try it."""

import re

from live_app import LiveApp, bearer

SCRIPT = "<script>alert(1)</script>"


def test_lists_the_runnables_with_their_playgrounds(shared: LiveApp) -> None:
    with shared.client() as client:
        page = client.get("/")
        links = re.findall(r'href="(/[a-z]+/playground/)"', page.text)
        assert {"/chat/playground/", "/summarize/playground/", "/agent/playground/"} <= set(links)
        assert all(client.get(link).status_code == 200 for link in links)
    assert "Answers questions about banking and investing." in page.text
    assert f"{shared.services.model.label} answers." in page.text


def test_lists_only_what_the_caller_may_use(shared: LiveApp) -> None:
    with shared.client(bearer(scopes=["runnable:chat", "vault:open"])) as client:
        page = client.get("/").text
    assert re.findall(r'href="(/[a-z]+)/playground/"', page) == ["/chat", "/vault"]


def test_names_the_caller_and_cannot_be_made_to_run_a_script(shared: LiveApp) -> None:
    with shared.client(bearer(SCRIPT, SCRIPT)) as client:
        page = client.get("/")
    assert "<script" not in page.text.lower()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert "unsafe" not in page.headers["content-security-policy"]


def test_is_not_kept_by_a_cache(shared: LiveApp) -> None:
    with shared.client() as client:
        assert client.get("/").headers["cache-control"] == "no-store"


def test_its_assets_are_our_own(shared: LiveApp) -> None:
    with shared.client() as client:
        for link in re.findall(r'<link[^>]* href="([^"]+)"', client.get("/").text):
            assert client.get(link).status_code == 200


def test_a_browser_that_is_not_signed_in_goes_to_the_sign_in_page(shared: LiveApp) -> None:
    browser = {"sec-fetch-mode": "navigate", "accept": "text/html"}
    with shared.client(browser) as client:
        response = client.get("/")
    assert (response.status_code, response.headers["location"]) == (303, "/signin")
