"""LangServe's feedback endpoint, with a LangSmith on loopback that takes it, or does not."""

import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.runnables import RunnableGenerator
from live_app import LiveApp, Serve, bearer, serving
from sse_frames import Frame, frames_in

from gatehouse import BadRegistry, Entry, Settings, create_app
from gatehouse.wires.langserve import feedback_tokens

PROJECT = "0198c0de-0000-7000-8000-000000000000"
NO_TOKEN = "0490e83c-30b8-4d8e-96ee-61e6fca793b1"
TOKEN = "0198c0de-1111-7000-8000-000000000000"
EXPIRES = "2026-12-01T15:00:00+00:00"
KEY = "lsv2_pt_the-key-that-must-not-show"


class LangSmith(ThreadingHTTPServer):
    """What takes feedback. `taken` are the bodies so far; with `status` it answers that instead."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Taking)
        self.taken: list[tuple[str, dict[str, Any]]] = []
        self.projects: list[str] = []
        self.status = 200
        self.tokens_given = threading.Event()  # they are given out once it is set
        self.tokens_given.set()

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
        if self.path == "/feedback/tokens":
            self.server.tokens_given.wait(10)
            said = {
                "id": body["id"],
                "url": f"{self.server.url}/feedback/tokens/{TOKEN}",
                "expires_at": EXPIRES,
            }
            self.answer(self.server.status, said)
        elif self.path.startswith("/feedback/tokens/") and not self.path.endswith(TOKEN):
            self.answer(404, {})
        else:
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


@pytest.fixture
def judged(tmp_path: Path, langsmith: LangSmith) -> Iterator[LiveApp]:
    """A server of entries whose answers come with tokens."""
    entries = [
        Entry("/counts", lambda _: RunnableGenerator(count), "Counts.", token_feedback=("right", "kind")),
        Entry("/says", lambda parts: parts.model, "Says it.", token_feedback=("right",)),
        Entry("/quiet", lambda _: RunnableGenerator(count), "Counts.", enable_feedback_endpoint=True),
    ]
    with serving(tmp_path, entries, langsmith_api_key=KEY, langsmith_endpoint=langsmith.url) as live:
        yield live


async def count(numbers: AsyncIterator[int]) -> AsyncIterator[int]:
    async for number in numbers:
        for counted in range(number):
            yield counted


def frames_of(live: LiveApp, endpoint: str, taken: Callable[[Frame], None] = lambda _: None) -> list[Frame]:
    """Return the frames of a stream; each is handed to `taken` when it is there."""
    seen: list[Frame] = []
    with live.client() as client, client.stream("POST", f"/counts/{endpoint}", json={"input": 3}) as answer:
        text = ""
        for piece in answer.iter_text():
            *whole, text = (text + piece).split("\n\n")
            for frame in (frame for each in whole for frame in frames_in(f"{each}\n\n")):
                seen.append(frame)
                taken(frame)
    return seen


class TestTokens:
    def test_come_with_an_answer(self, judged: LiveApp, langsmith: LangSmith) -> None:
        with judged.client() as client:
            about = client.post("/counts/invoke", json={"input": 3}).json()["metadata"]
        assert [token["key"] for token in about["feedback_tokens"]] == ["right", "kind"]
        assert about["feedback_tokens"][0] == {
            "key": "right",
            "token_url": f"{langsmith.url}/feedback/tokens/{TOKEN}",
            "expires_at": EXPIRES,
        }
        assert {body["run_id"] for _, body in langsmith.taken} == {about["run_id"]}

    def test_of_a_batch_are_of_each_run(self, judged: LiveApp, langsmith: LangSmith) -> None:
        with judged.client() as client:
            about = client.post("/says/batch", json={"inputs": ["[say a]", "[say b]"]}).json()["metadata"]
        assert [len(run["feedback_tokens"]) for run in about["responses"]] == [1, 1]
        assert {body["run_id"] for _, body in langsmith.taken} == set(about["run_ids"])

    @pytest.mark.parametrize("endpoint", ["stream", "stream_events", "stream_log"])
    def test_that_are_late_cost_a_stream_nothing(
        self, judged: LiveApp, langsmith: LangSmith, endpoint: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feedback_tokens, "SECONDS", 30)
        whole = [frame.event for frame in frames_of(judged, endpoint) if frame.event == "data"]
        langsmith.tokens_given.clear()

        def give(frame: Frame) -> None:
            if frame.event == "data":
                langsmith.tokens_given.set()

        frames = frames_of(judged, endpoint, give)
        assert [frame.event for frame in frames if frame.event == "data"] == whole
        told = [frame.data["feedback_tokens"] for frame in frames if "feedback_tokens" in str(frame.data)]
        assert [[token["key"] for token in tokens] for tokens in told] == [["right", "kind"]]
        assert frames[-1].event == "end"

    @pytest.mark.parametrize("endpoint", ["invoke", "stream"])
    def test_that_do_not_come_are_not_waited_for(
        self, judged: LiveApp, langsmith: LangSmith, endpoint: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(feedback_tokens, "SECONDS", 0.1)
        langsmith.tokens_given.clear()
        with judged.client() as client:
            answer = client.post(f"/counts/{endpoint}", json={"input": 3})
        assert not langsmith.tokens_given.is_set()
        assert answer.status_code == 200
        assert re.search(r'"feedback_tokens": ?\[\]', answer.text)
        langsmith.tokens_given.set()

    def test_of_a_langsmith_that_refuses_are_none(self, judged: LiveApp, langsmith: LangSmith) -> None:
        langsmith.status = 500
        with judged.client() as client:
            answer = client.post("/says/invoke", json={"input": "[say a]"}).json()
        assert answer["metadata"]["feedback_tokens"] == []

    def test_are_refused_at_the_start_without_langsmith(self, tmp_path: Path) -> None:
        entry = Entry("/says", lambda parts: parts.model, "Says it.", token_feedback=("right",))
        with pytest.raises(BadRegistry, match="/says: token_feedback needs LANGSMITH_API_KEY"):
            create_app(Settings(_env_file=None, data_dir=tmp_path, model="scripted"), [entry])


class TestGivingByToken:
    def test_is_kept_on_the_token_s_run(self, judged: LiveApp, langsmith: LangSmith) -> None:
        body = {"token_or_url": f"{langsmith.url}/feedback/tokens/{TOKEN}", "score": 3, "comment": "good"}
        answer = given(judged, body, "/says/token_feedback")
        assert (answer.status_code, answer.json()) == (200, None)
        ((_, taken),) = langsmith.taken
        assert (taken["score"], taken["comment"], taken["metadata"]) == (3, "good", {"from_langserve": True})

    @pytest.mark.parametrize("token", ["some_url", "", NO_TOKEN, f"http://127.0.0.1:1/x/{NO_TOKEN}"])
    def test_of_no_token_is_not_found(self, judged: LiveApp, token: str) -> None:
        assert given(judged, {"token_or_url": token}, "/says/token_feedback").status_code == 404

    def test_of_an_entry_without_tokens_is_a_bad_request(self, judged: LiveApp) -> None:
        assert given(judged, {"token_or_url": TOKEN}, "/quiet/token_feedback").status_code == 400

    def test_needs_a_credential_and_the_entry_s_scope(self, judged: LiveApp) -> None:
        with judged.client({}) as client:
            assert client.post("/says/token_feedback", content=b"{").status_code == 401
        body = {"token_or_url": TOKEN}
        answer = given(judged, body, "/says/token_feedback", user="alice", scopes=("runnable:counts",))
        assert answer.status_code == 403


def test_without_a_key_there_is_no_such_endpoint(shared: LiveApp) -> None:
    assert given(shared, {"run_id": str(uuid4()), "key": "k"}).status_code == 404
