"""Attachments over HTTP: uploaded once, read back by their owner, never run by a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from live_app import LiveApp, bearer, serving
from probe_runnables import Endless, probes

from gatehouse.runs.records import load

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
PAGE = b"<!doctype html><script>alert(1)</script>"
UNKNOWN = "01a1fc96-0000-7000-8000-000000000000"


@pytest.fixture
def client(shared: LiveApp) -> Iterator[httpx.Client]:
    with shared.client() as client:
        yield client
        for item in client.get("/api/attachments").json()["items"]:
            client.delete(f"/api/attachments/{item['id']}")


def upload(
    client: httpx.Client, content: bytes = PNG, name: str = "chart.png", kind: str = "image/png", **more: Any
) -> httpx.Response:
    return client.post("/api/attachments", files={"file": (name, content, kind)}, **more)


def problem_of(response: httpx.Response) -> tuple[int, str]:
    return response.status_code, response.json()["type"].rpartition(":")[2]


class TestUpload:
    def test_is_known_by_its_content(self, client: httpx.Client) -> None:
        response = upload(client, PAGE, "photo.png", "image/png")
        assert response.status_code == 201
        kept = response.json()
        assert (kept["name"], kept["media_type"], kept["size"]) == ("photo.png", "text/plain", len(PAGE))
        assert kept["thread_id"] is None
        assert kept["expires_at"] > kept["created_at"]
        assert client.get("/api/attachments").json()["items"] == [kept]

    def test_of_what_no_model_is_shown_is_a_415(self, client: httpx.Client) -> None:
        refused = upload(client, b"MZ\x90\x00", "a.png")
        assert problem_of(refused) == (415, "unsupported-media-type")

    @pytest.mark.parametrize(
        "request_of",
        [
            {"json": {}},
            {"content": PNG, "headers": {"content-type": "image/png"}},
            {"files": {"other": ("a.png", PNG, "image/png")}},
            {"data": {"file": "text"}},
            {"content": b"--x\r\nbroken", "headers": {"content-type": "multipart/form-data; boundary=x"}},
            {"content": b"", "headers": {"content-type": "multipart/form-data"}},
        ],
    )
    def test_without_a_file_is_refused(self, client: httpx.Client, request_of: dict[str, Any]) -> None:
        response = client.post("/api/attachments", **request_of)
        assert response.status_code in (400, 422)
        assert response.headers["content-type"] == "application/problem+json"

    def test_wants_a_scope(self, shared: LiveApp) -> None:
        with shared.client(bearer(scopes=["runnable:agent"])) as client:
            refused = upload(client)
            assert (refused.status_code, refused.json()["scope"]) == (403, "attachments:write")
            assert client.delete(f"/api/attachments/{UNKNOWN}").status_code == 403
            assert client.get("/api/attachments").json() == {"items": []}

    def test_may_be_larger_than_other_bodies_and_has_limits_of_its_own(self, tmp_path: Path) -> None:
        limits: dict[str, Any] = {
            "max_body_bytes": 1000,
            "attachment_bytes": 5000,
            "attachment_files": 2,
        }
        with serving(tmp_path, probes(Endless()), **limits) as live, live.client() as client:
            assert client.post("/api/chat", json={"query": "x" * 2000}).status_code == 413
            assert upload(client, b"x" * 5000).status_code == 201
            assert problem_of(upload(client, b"x" * 5001)) == (413, "payload-too-large")
            assert problem_of(upload(client, b"x" * 100_000)) == (413, "payload-too-large")
            assert upload(client, b"x").status_code == 201
            assert problem_of(upload(client, b"x")) == (409, "conflict")


class TestCookie:
    """A form of another site may send files without asking first."""

    @pytest.fixture
    def browser(self, shared: LiveApp) -> Iterator[httpx.Client]:
        with shared.client({}) as browser:
            credential = bearer()["authorization"].removeprefix("Bearer ")
            signed_in = browser.post("/auth/session", json={"credential": credential})
            assert signed_in.status_code < 300
            yield browser

    def test_is_taken_from_our_own_pages_alone(self, browser: httpx.Client) -> None:
        own = {"sec-fetch-site": "same-origin"}
        kept = upload(browser, headers=own)
        assert kept.status_code == 201, kept.text
        for site in ("cross-site", "same-site", "none"):
            assert upload(browser, headers={"sec-fetch-site": site}).status_code == 403
        assert upload(browser, headers={"origin": "https://evil.example"}).status_code == 403
        assert upload(browser).status_code == 403


class TestRead:
    def test_gives_the_bytes_back(self, client: httpx.Client) -> None:
        kept = upload(client).json()
        response = client.get(f"/api/attachments/{kept['id']}")
        assert response.content == PNG
        assert response.headers["content-type"] == "image/png"
        assert response.headers["content-disposition"] == "inline; filename*=UTF-8''chart.png"

    def test_a_browser_runs_nothing_of_it(self, client: httpx.Client) -> None:
        kept = upload(client, PAGE, "a.html", "text/html").json()
        headers = client.get(f"/api/attachments/{kept['id']}").headers
        assert headers["content-type"] == "text/plain; charset=utf-8"
        assert headers["content-disposition"].startswith("attachment;")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"] == "default-src 'none'; sandbox"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "private, no-store"

    def test_a_name_of_any_script_is_one_header(self, client: httpx.Client) -> None:
        name = '債券 "🙂"; x=y.png'
        kept = upload(client, name=name).json()
        disposition = client.get(f"/api/attachments/{kept['id']}").headers["content-disposition"]
        assert disposition == f"inline; filename*=UTF-8''{quote(kept['name'], safe='')}"

    def test_another_s_is_a_404(self, shared: LiveApp, client: httpx.Client) -> None:
        kept = upload(client).json()
        with shared.client(bearer("bob", "acme")) as bob, shared.client(bearer("alice", "beta")) as other:
            for stranger in (bob, other):
                for attachment_id in (kept["id"], UNKNOWN, "x"):
                    path = f"/api/attachments/{attachment_id}"
                    assert problem_of(stranger.get(path)) == (404, "not-found")
                    assert problem_of(stranger.delete(path)) == (404, "not-found")
        assert client.get(f"/api/attachments/{kept['id']}").status_code == 200

    def test_a_deleted_one_is_gone(self, client: httpx.Client) -> None:
        path = f"/api/attachments/{upload(client).json()['id']}"
        assert client.delete(path).status_code == 204
        assert client.get(path).status_code == 404


class TestQuestion:
    """A question about files: they are in its message, and stay for as long as its thread."""

    def test_keeps_its_files(self, client: httpx.Client) -> None:
        kept = upload(client).json()
        body = {"query": "[say nice]", "attachments": [kept["id"]]}
        thread_id = client.post("/api/chat", json=body).json()["thread_id"]
        question, answer = client.get(f"/api/threads/{thread_id}/messages").json()["items"]
        shown = {name: kept[name] for name in ("id", "name", "media_type", "size")}
        assert (question["attachments"], answer["attachments"]) == ([shown], None)
        bound = client.get("/api/attachments").json()["items"][0]
        assert (bound["thread_id"], bound["expires_at"]) == (thread_id, None)
        client.delete(f"/api/threads/{thread_id}")
        assert client.get(f"/api/attachments/{kept['id']}").status_code == 404

    def test_in_a_thread_that_goes_on_and_asked_again(self, client: httpx.Client) -> None:
        thread_id = client.post("/api/chat", json={"query": "[say one]"}).json()["thread_id"]
        kept = upload(client).json()
        body = {"query": "[say two]", "thread_id": thread_id, "attachments": [kept["id"]]}
        assert client.post("/api/chat", json=body).status_code == 200
        second = client.get(f"/api/threads/{thread_id}/messages").json()["items"][2]["id"]
        run = client.post(f"/api/threads/{thread_id}/fork", json={"message_id": second}).json()
        client.get(f"/api/runs/{run['run_id']}/stream")
        again = client.get(f"/api/threads/{thread_id}/messages").json()["items"][2]
        assert again["id"] != second
        assert [file["id"] for file in again["attachments"]] == [kept["id"]]
        client.delete(f"/api/attachments/{kept['id']}")
        run = client.post(f"/api/threads/{thread_id}/fork", json={"message_id": again["id"]})
        assert run.status_code == 202, "without the file that is gone"
        client.get(f"/api/runs/{run.json()['run_id']}/stream")
        assert client.get(f"/api/threads/{thread_id}/messages").json()["items"][2]["attachments"] is None

    def test_reaches_the_run(self, shared: LiveApp, client: httpx.Client) -> None:
        kept = upload(client).json()
        run_id = client.post("/api/chat", json={"query": "x", "attachments": [kept["id"]]}).json()["run_id"]
        run = shared.run(load(shared.services.redis, run_id))
        assert run is not None
        assert [file["id"] for file in run.attachments] == [kept["id"]]

    @pytest.mark.parametrize("path", ["/api/chat", "/api/chat/stream", "/api/stream"])
    def test_about_another_s_file_or_none_is_a_404(
        self, shared: LiveApp, client: httpx.Client, path: str
    ) -> None:
        kept = upload(client).json()
        with shared.client(bearer("bob", "acme")) as bob:
            for attachment_id in (kept["id"], UNKNOWN):
                response = bob.post(path, json={"query": "x", "attachments": [attachment_id]})
                assert problem_of(response) == (404, "not-found")
        assert client.post(path, json={"query": "x", "attachments": ["x"] * 11}).status_code == 422
