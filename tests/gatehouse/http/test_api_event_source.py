"""EventSource: it can send neither a body nor headers, and reconnects by itself to the same address."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest
from live_app import LiveApp, Serve
from probe_runnables import numbered
from sse_frames import frames_in, frames_of

APP = "https://app.example"
PATHS = ("/api/chat/stream", "/api/stream")


@pytest.fixture
def client(shared: LiveApp) -> Iterator[httpx.Client]:
    with shared.client() as client:
        yield client


class TestQuery:
    def test_is_answered_as_typed_events(self, client: httpx.Client) -> None:
        frames = frames_in(client.get("/api/chat/stream", params={"query": "[tokens 3]"}).text)
        assert [frame.type for frame in frames] == ["start", "token", "token", "token", "complete", "end"]

    def test_is_answered_as_plain_tokens(self, client: httpx.Client) -> None:
        frames = frames_in(client.get("/api/stream", params={"query": "[tokens 2]"}).text)
        assert [frame.data for frame in frames] == [
            *({"token": token} for token in numbered(2)),
            {"done": True, "status": "completed"},
        ]

    @pytest.mark.parametrize("path", PATHS)
    def test_chooses_the_runnable_and_the_thread(self, client: httpx.Client, path: str) -> None:
        thread_id = client.post("/api/chat", json={"query": "[say one]"}).json()["thread_id"]
        client.get(path, params={"query": "[say two]", "thread_id": thread_id, "runnable": "agent"})
        messages = client.get(f"/api/threads/{thread_id}/messages").json()["items"]
        assert [message["content"] for message in messages if message["role"] == "ai"] == ["one", "two"]

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize(
        "query",
        [
            "",
            "query=",
            "query=x&user_id=mallory",
            "query=x&token=eyJ",
            f"query=x&idempotency_key={'k' * 201}",
        ],
    )
    def test_a_bad_one_is_a_422(self, client: httpx.Client, path: str, query: str) -> None:
        response = client.get(f"{path}?{query}")
        assert response.status_code == 422
        assert response.headers["content-type"] == "application/problem+json"

    @pytest.mark.parametrize("path", PATHS)
    def test_another_method_is_a_405(self, client: httpx.Client, path: str) -> None:
        assert client.head(path, params={"query": "x"}).status_code == 405
        assert client.put(path, params={"query": "x"}).status_code == 405


class TestReconnection:
    @pytest.mark.parametrize("path", PATHS)
    def test_without_a_key_there_is_no_content_and_no_second_run(
        self, client: httpx.Client, path: str
    ) -> None:
        before = len(client.get("/api/threads?limit=100").json()["items"])
        response = client.get(path, params={"query": "x"}, headers={"last-event-id": "1-2"})
        assert (response.status_code, response.content) == (204, b"")
        assert client.get(path, params={"query": "x", "last_event_id": "1-2"}).status_code == 204
        assert len(client.get("/api/threads?limit=100").json()["items"]) == before

    @pytest.mark.parametrize("path", PATHS)
    def test_with_a_key_it_reads_on_where_it_was(self, client: httpx.Client, path: str) -> None:
        address = {"query": "[delay 0.01][tokens 30]", "idempotency_key": str(uuid4())}
        with client.stream("GET", path, params=address) as response:
            frames = frames_of(response.iter_lines())
            seen = [next(frames) for _ in range(6)]
            run_id = response.headers["x-run-id"]
        again = client.get(path, params=address, headers={"last-event-id": seen[-1].id})
        assert again.headers["x-run-id"] == run_id
        tokens = [
            frame.data.get("token") or frame.data.get("content")
            for frame in (*seen, *frames_in(again.text))
            if "token" in (frame.event, *frame.data)
        ]
        assert tokens == numbered(30)

    def test_the_browser_knows_better_where_it_was_than_its_address(self, client: httpx.Client) -> None:
        """The address stays as the page wrote it, however often the browser connects again."""
        address = {"query": "[tokens 5]", "idempotency_key": str(uuid4())}
        frames = frames_in(client.get("/api/chat/stream", params=address).text)
        address["last_event_id"] = "1-1"
        again = client.get("/api/chat/stream", params=address, headers={"last-event-id": "1-4"})
        assert frames_in(again.text) == frames[4:]

    @pytest.mark.parametrize("path", PATHS)
    def test_after_the_end_there_is_no_content(self, client: httpx.Client, path: str) -> None:
        """So a browser stops; it would reconnect for ever otherwise."""
        address = {"query": "[say hello]", "idempotency_key": str(uuid4())}
        last = frames_in(client.get(path, params=address).text)[-1]
        again = client.get(path, params=address, headers={"last-event-id": last.id})
        assert (again.status_code, again.content) == (204, b"")

    def test_a_malformed_last_event_id_is_a_400(self, client: httpx.Client) -> None:
        address = {"query": "x", "idempotency_key": str(uuid4()), "last_event_id": "zz"}
        assert client.get("/api/chat/stream", params=address).status_code == 400


def ask(live: LiveApp, origin: str, site: str | None, **headers: str) -> httpx.Response:
    """Return what a page's EventSource gets, with a ticket that its own server asked for."""
    with live.client() as server:
        ticket = server.post("/api/tickets", json={"route": "/api/chat/stream"}).json()["ticket"]
    sent = {"origin": origin, **({"sec-fetch-site": site} if site else {}), **headers}
    with live.client({}) as page:
        return page.get("/api/chat/stream", params={"query": "[say hi]", "ticket": ticket}, headers=sent)


class TestOtherSites:
    @pytest.fixture
    def listing(self, serve: Serve) -> LiveApp:
        return serve("/chat", allowed_origins=APP)

    @pytest.mark.parametrize("path", PATHS)
    @pytest.mark.parametrize("site", ["cross-site", "same-site"])
    def test_may_not_start_a_run(self, client: httpx.Client, path: str, site: str) -> None:
        response = client.get(path, params={"query": "x"}, headers={"sec-fetch-site": site})
        assert response.status_code == 403
        assert response.json()["type"] == "urn:gatehouse:problem:forbidden"

    @pytest.mark.parametrize("site", ["cross-site", "same-site", None])
    def test_that_are_not_listed_may_not_either(self, listing: LiveApp, site: str | None) -> None:
        for origin in ("https://other.example", "null", "https://app.example.evil"):
            assert ask(listing, origin, site).status_code == 403

    @pytest.mark.parametrize("site", ["cross-site", "same-site", None])
    def test_that_are_listed_may_with_a_ticket(self, listing: LiveApp, site: str | None) -> None:
        response = ask(listing, APP, site)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == APP
        assert frames_in(response.text)[-1].type == "end"

    def test_that_are_listed_may_not_by_a_link(self, listing: LiveApp) -> None:
        assert ask(listing, APP, "cross-site", **{"sec-fetch-mode": "navigate"}).status_code == 403

    @pytest.mark.parametrize("site", ["same-origin", "none"])
    def test_our_own_pages_may(self, client: httpx.Client, site: str) -> None:
        response = client.get("/api/stream", params={"query": "x"}, headers={"sec-fetch-site": site})
        assert response.status_code == 200


HOW = {  # browsers ask, where it is no script: https://www.w3.org/TR/fetch-metadata/
    "opened": ("none", "navigate", "document"),
    "opened by a link of our own page": ("same-origin", "navigate", "document"),
    "in a frame": ("same-origin", "navigate", "iframe"),
    "as an image": ("same-origin", "no-cors", "image"),
    "as an image that is asked for with CORS": ("same-origin", "cors", "image"),
    "as a script": ("same-origin", "no-cors", "script"),
    "as a prefetch": ("same-origin", "no-cors", "empty"),
    "as a manifest": ("same-origin", "cors", "manifest"),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("how", HOW)
def test_an_address_that_no_script_asks_for_starts_no_run(client: httpx.Client, path: str, how: str) -> None:
    """It may come from a mail, or from a model's own answer; the browser sends its cookie with it."""
    site, mode, dest = HOW[how]
    before = len(client.get("/api/threads?limit=100").json()["items"])
    opened = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    assert client.get(path, params={"query": "x", "runnable": "agent"}, headers=opened).status_code == 403
    assert len(client.get("/api/threads?limit=100").json()["items"]) == before


@pytest.mark.parametrize(("accept", "status"), [("text/html,*/*;q=0.8", 403), ("text/event-stream", 200)])
def test_of_an_old_browser_with_a_cookie_what_it_accepts_says_how_it_asks(
    shared: LiveApp, client: httpx.Client, accept: str, status: int
) -> None:
    with shared.client({}) as browser:
        token = client.headers["authorization"].removeprefix("Bearer ")
        browser.post("/auth/session", json={"credential": token}).raise_for_status()
        answer = browser.get("/api/stream", params={"query": "[say hi]"}, headers={"accept": accept})
        assert answer.status_code == status
