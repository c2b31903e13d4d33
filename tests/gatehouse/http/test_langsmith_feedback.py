"""LangServe's feedback endpoint, with a LangSmith on loopback that takes it, or does not."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

import pytest
from live_app import LiveApp, Serve, bearer

PROJECT = "0198c0de-0000-7000-8000-000000000000"
KEY = "lsv2_pt_the-key-that-must-not-show"


class LangSmith(ThreadingHTTPServer):
    """What takes feedback. `taken` are the bodies so far; with `status` it answers that instead."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.projects: list[str] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Taking(BaseHTTPRequestHandler):
    server: LangSmith

    def do_GET(self) -> None:
        if self.path.startswith("/sessions?"):
            project = {"id": PROJECT, "tenant_id": PROJECT, "reference_dataset_id": None}
            self.server.projects.append(self.path)
            self.answer(200, [project])
        else:
            self.answer(200, {"version": "0.10.0"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.server.status == 200:
            self.server.taken.append((self.headers["x-api-key"], body))
        self.answer(self.server.status, {})

    def answer(self, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def langsmith(monkeypatch: pytest.MonkeyPatch) -> Iterator[LangSmith]:
    for name in ("LANGSMITH_PROJECT", "LANGCHAIN_PROJECT", "LANGSMITH_SESSION", "LANGCHAIN_SESSION"):
        monkeypatch.delenv(name, raising=False)
    server = LangSmith()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def live(serve: Serve, langsmith: LangSmith) -> LiveApp:
    return serve("/chat", "/agent", langsmith_api_key=KEY, langsmith_endpoint=langsmith.url)


def run_of(live: LiveApp) -> str:
    """Return the id of a run of alice's."""
    with live.client() as client:
        return str(client.post("/chat/invoke", json={"input": {"input": "x"}}).headers["x-run-id"])


def given(live: LiveApp, body: Any, path: str = "/chat/feedback", **caller: Any) -> Any:
    with live.client(bearer(**caller) if caller else None) as client:
        return client.post(path, json=body)


class TestGiving:
    def test_feedback_on_a_run_of_ones_own_is_kept_in_langsmith(
        self, live: LiveApp, langsmith: LangSmith
    ) -> None:
        run_id = run_of(live)
        body = {"run_id": run_id, "key": "correctness", "score": 1, "comment": "good"}
        response = given(live, body)
        assert response.status_code == 200
        assert {name: response.json()[name] for name in body} == body
        ((key, taken),) = langsmith.taken
        assert key == KEY
        assert (taken["run_id"], taken["key"], taken["score"], taken["comment"]) == (
            run_id,
            "correctness",
            1,
            "good",
        )
        assert response.json()["id"] == taken["id"]
        assert taken["session_id"] == PROJECT

    def test_the_project_is_looked_up_once(self, live: LiveApp, langsmith: LangSmith) -> None:
        body = {"run_id": run_of(live), "key": "k", "value": "so so"}
        assert [given(live, body).status_code for _ in range(3)] == [200] * 3
        assert langsmith.projects == ["/sessions?name=default"]

    def test_a_playground_is_told_that_it_is_taken(self, live: LiveApp) -> None:
        with live.client() as client:
            assert client.head("/chat/feedback").status_code == 200


class TestRefusals:
    def test_of_who_is_not_signed_in_come_before_the_body_is_read(self, live: LiveApp) -> None:
        with live.client({}) as client:
            assert client.post("/chat/feedback", content=b"{").status_code == 401

    def test_of_who_may_not_use_the_runnable(self, live: LiveApp) -> None:
        body = {"run_id": str(uuid4()), "key": "k"}
        assert given(live, body, user="alice", scopes=("runnable:agent",)).status_code == 403

    def test_of_anothers_run_are_those_of_none(self, live: LiveApp, langsmith: LangSmith) -> None:
        body = {"run_id": run_of(live), "key": "k"}
        of_another = given(live, body, user="bob", tenant="beta")
        of_none = given(live, {"run_id": str(uuid4()), "key": "k"})
        assert (of_another.status_code, of_none.status_code) == (404, 404)
        assert of_another.json()["detail"] == of_none.json()["detail"]
        assert langsmith.taken == []

    def test_of_a_run_of_another_runnable(self, live: LiveApp) -> None:
        assert given(live, {"run_id": run_of(live), "key": "k"}, "/agent/feedback").status_code == 404

    @pytest.mark.parametrize(
        "fault",
        [{"run_id": "x"}, {"key": ""}, {"key": "k" * 101}, {"comment": "c" * 4001}, {"score": "much"}],
    )
    def test_of_faulty_bodies(self, live: LiveApp, fault: dict[str, Any]) -> None:
        assert given(live, {"run_id": str(uuid4()), "key": "k", **fault}).status_code == 422

    def test_while_langsmith_refuses_are_503_without_its_key(
        self, live: LiveApp, langsmith: LangSmith, logged: Any
    ) -> None:
        langsmith.status = 401
        response = given(live, {"run_id": run_of(live), "key": "k"})
        assert response.status_code == 503
        assert KEY not in response.text + logged.getvalue()


def test_without_a_key_there_is_no_such_endpoint(shared: LiveApp) -> None:
    assert given(shared, {"run_id": str(uuid4()), "key": "k"}).status_code == 404
