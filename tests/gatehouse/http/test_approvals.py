"""Approvals over every wire: what waits is told, a person decides, and the same run goes on."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import openai
import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.tools import tool
from live_app import LiveApp, bearer, serving, token
from redis import Redis
from scripted_model import ScriptedModel
from sse_frames import frames_in
from websockets.sync.client import connect

from gatehouse import Entry, Parts
from gatehouse.runs.records import run_key

PAID: list[int] = []
ASK = {"query": "Pay Bob."}


@tool
def transfer(to: str, amount: int) -> str:
    """Send money."""
    PAID.append(amount)
    return f"sent {amount} to {to}"


def paying(parts: Parts) -> Any:
    call = {"name": "transfer", "args": {"to": "Bob", "amount": 100}, "id": "call-1"}
    model = ScriptedModel(script=[AIMessage("", tool_calls=[call]), AIMessage("It is done.")] * 4)
    asks = HumanInTheLoopMiddleware({"transfer": True}, interrupt_mode="per_call")
    return create_agent(model, [transfer], middleware=[asks], checkpointer=parts.checkpointer)


REGISTRY = [Entry("/pay", paying, "Pays.", output_type=AIMessageChunk)]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApp]:
    with serving(tmp_path_factory.mktemp("approvals"), REGISTRY) as live:
        yield live


@pytest.fixture
def client(live: LiveApp) -> Iterator[httpx.Client]:
    PAID.clear()
    with live.client() as client:
        yield client


def waiting(client: httpx.Client, **more: Any) -> dict[str, Any]:
    """Ask, and return what waits."""
    answer = client.post("/api/chat", json={**ASK, **more})
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


def decide(
    client: httpx.Client, approval: dict[str, Any], choice: str = "approve", **said: Any
) -> httpx.Response:
    body = {"decision": choice, "digest": approval["digest"], **said}
    return client.post(f"/api/approvals/{approval['id']}/decision", json=body)


def the_end(client: httpx.Client, run_id: str) -> list[Any]:
    """Return the events of a run that goes on, up to its end."""
    frames = frames_in(client.get(f"/api/runs/{run_id}/stream", headers={"last-event-id": "-1"}).text)
    if frames[-1].data["status"] == "waiting":
        frames = frames_in(
            client.get(f"/api/runs/{run_id}/stream", headers={"last-event-id": frames[-1].id}).text
        )
    return list(frames)


class TestRunApi:
    def test_answers_with_what_waits_and_the_run_goes_on_after_a_word(self, client: httpx.Client) -> None:
        waits = waiting(client)
        [approval] = waits["approvals"]
        assert (approval["tool"], approval["args"]) == ("transfer", {"to": "Bob", "amount": 100})
        assert (approval["may_decide"], approval["status"], PAID) == (True, "pending", [])
        assert client.get(f"/api/runs/{waits['run_id']}").json()["state"] == "waiting"
        assert client.get("/api/approvals/count").json()["pending"] >= 1
        found = client.get("/api/approvals", params={"run_id": waits["run_id"]}).json()
        assert [item["id"] for item in found["approvals"]] == [approval["id"]]
        decided = decide(client, approval)
        assert (decided.status_code, decided.json()["status"]) == (200, "approved")
        assert the_end(client, waits["run_id"])[-1].data["status"] == "completed"
        assert PAID == [100]
        assert decide(client, approval).json() == client.get(f"/api/approvals/{approval['id']}").json()
        refused = decide(client, approval, "reject")
        assert (refused.status_code, refused.json()["type"]) == (
            409,
            "urn:gatehouse:problem:approval-decided",
        )

    def test_stream_ends_with_what_waits_and_is_read_on(self, client: httpx.Client) -> None:
        first = frames_in(client.post("/api/chat/stream", json=ASK).text)
        assert [frame.event for frame in first][-2:] == ["approval", "end"]
        approval = first[-2].data["approval"]
        assert approval["allowed"] == ["approve", "edit", "reject", "respond"]
        faulty = decide(client, approval, "edit", args={"to": 5})
        assert faulty.status_code == 422
        assert decide(client, approval, "edit", args={"to": "Eve", "amount": 7}).status_code == 200
        run_id = first[0].data["run_id"]
        stream = client.get(f"/api/runs/{run_id}/stream", headers={"last-event-id": first[-1].id})
        after = frames_in(stream.text)
        assert after[0].data["type"] == "decided"
        assert (after[-1].data["status"], PAID) == ("completed", [7])
        thread = client.get(f"/api/threads/{first[0].data['thread_id']}/messages").json()["items"]
        assert thread[-1]["tool_calls"][0]["input"] == {"to": "Eve", "amount": 7}

    def test_plain_tokens_tell_what_waits(self, client: httpx.Client) -> None:
        text = client.post("/api/stream", json=ASK).text
        said = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
        assert said[-2]["approval"]["approval"]["tool"] == "transfer"
        assert said[-1] == {"done": True, "status": "waiting"}

    def test_nobody_else_sees_it(self, client: httpx.Client, live: LiveApp) -> None:
        [approval] = waiting(client)["approvals"]
        for stranger in (bearer("bob", scopes=("runnable:pay",)), bearer("alice", "beta")):
            with live.client(stranger) as other:
                assert decide(other, approval).status_code == 404
                assert other.get(f"/api/approvals/{approval['id']}").status_code == 404
        with live.client(bearer("carol", scopes=("approvals:decide",))) as carol:
            assert decide(carol, approval, "reject", message="no").json()["decided_by"]["user_id"] == "carol"

    def test_editing_the_question_ends_what_is_open(self, client: httpx.Client) -> None:
        waits = waiting(client)
        thread = waits["thread_id"]
        again = client.post("/api/chat", json={**ASK, "thread_id": thread})
        assert (again.status_code, again.json()["run_id"]) == (409, waits["run_id"])
        question = client.get(f"/api/threads/{thread}/messages").json()["items"][0]["id"]
        forked = client.post(f"/api/threads/{thread}/fork", json={"message_id": question})
        assert forked.status_code == 202
        ended = client.get(f"/api/approvals/{waits['approvals'][0]['id']}").json()
        assert ended["status"] == "cancelled"

    def test_deleting_the_thread_ends_the_run(self, client: httpx.Client) -> None:
        waits = waiting(client)
        assert client.delete(f"/api/threads/{waits['thread_id']}").status_code == 204
        assert client.get(f"/api/runs/{waits['run_id']}").status_code == 404
        assert client.get(f"/api/approvals/{waits['approvals'][0]['id']}").status_code == 404
        assert PAID == []

    def test_every_step_is_on_record(self, client: httpx.Client, live: LiveApp) -> None:
        waits = waiting(client)
        [approval] = waits["approvals"]
        decide(client, approval)
        the_end(client, waits["run_id"])  # else it pays in the next test
        rows = client.get("/api/audit", params={"limit": 500}).json()["items"]
        mine = [row["action"] for row in rows if row["details"].get("approval_id") == approval["id"]]
        assert mine == ["approval.decide", "approval.open"]


class TestWhenRedisHasLostItsData:
    """What waits is in the database."""

    @pytest.fixture
    def redis(self, live: LiveApp) -> Iterator[Redis]:
        assert live.settings.redis_url is not None
        with Redis.from_url(live.settings.redis_url.get_secret_value()) as redis:
            yield redis

    @pytest.fixture
    def waits(self, client: httpx.Client, redis: Redis) -> dict[str, Any]:
        """A run that waits, and that Redis has lost."""
        waits = waiting(client)
        redis.flushdb()
        return waits

    def status(self, client: httpx.Client, waits: dict[str, Any]) -> Any:
        return client.get(f"/api/approvals/{waits['approvals'][0]['id']}").json()["status"]

    def test_editing_the_question_ends_what_is_open(
        self, client: httpx.Client, waits: dict[str, Any], live: LiveApp
    ) -> None:
        thread = f"/api/threads/{waits['thread_id']}"
        question = client.get(f"{thread}/messages").json()["items"][0]["id"]
        forked = client.post(f"{thread}/fork", json={"message_id": question, "query": "Pay Eve."})
        assert forked.status_code == 202
        assert self.status(client, waits) == "cancelled"
        run = f"/api/runs/{waits['run_id']}"
        live.eventually(lambda: client.get(run).json()["state"] == "cancelled")
        assert PAID == []

    def test_deleting_the_thread_ends_the_run(self, client: httpx.Client, waits: dict[str, Any]) -> None:
        assert client.delete(f"/api/threads/{waits['thread_id']}").status_code == 204
        assert client.get(f"/api/runs/{waits['run_id']}").status_code == 404
        assert decide(client, waits["approvals"][0]).status_code == 404
        assert PAID == []

    def test_its_thread_is_taken_again_in_a_moment(
        self, client: httpx.Client, waits: dict[str, Any], live: LiveApp, redis: Redis
    ) -> None:
        live.eventually(lambda: redis.exists(run_key(waits["run_id"])))
        again = client.post("/api/chat", json={**ASK, "thread_id": waits["thread_id"]})
        assert (again.status_code, again.json()["run_id"]) == (409, waits["run_id"])
        assert decide(client, waits["approvals"][0]).status_code == 200
        assert the_end(client, waits["run_id"])[-1].data["status"] == "completed"
        assert PAID == [100]


class TestWebSocket:
    def test_decides_on_the_socket(self, live: LiveApp, client: httpx.Client) -> None:
        url = live.url.replace("http", "ws") + "/ws/chat/?events=run"
        with connect(url, additional_headers=bearer()) as socket:
            socket.send(json.dumps({"message": "Pay Bob."}))
            frames = [json.loads(socket.recv(10))]
            while frames[-1]["type"] != "end":
                frames.append(json.loads(socket.recv(10)))
            approval = frames[-2]["approval"]
            wanted = {"id": approval["id"], "decision": "approve", "digest": approval["digest"]}
            socket.send(json.dumps({"decide": {**wanted, "digest": "0" * 64}}))
            refused = json.loads(socket.recv(10))
            assert refused["problem"]["type"] == "urn:gatehouse:problem:approval-changed"
            assert refused["approval_id"] == approval["id"]
            socket.send(json.dumps({"decide": wanted}))
            decided = json.loads(socket.recv(10))
            assert (decided["type"], decided["approval"]["status"]) == ("approval_decided", "approved")
            socket.send(
                json.dumps(
                    {"type": "resume", "run_id": frames[0]["run_id"], "last_event_id": frames[-1]["id"]}
                )
            )
            frames = [json.loads(socket.recv(10))]
            while frames[-1]["type"] != "end":
                frames.append(json.loads(socket.recv(10)))
        assert (frames[0]["type"], frames[-1]["status"]) == ("decided", "completed")


class Hook(BaseHTTPRequestHandler):
    """Takes webhooks."""

    taken: ClassVar[list[dict[str, Any]]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.taken.append({**json.loads(body), "signature": self.headers["webhook-signature"]})
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def hooked(tmp_path: Path) -> Iterator[LiveApp]:
    """A server that tells a receiver of what happens."""
    Hook.taken.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as receiver:
        thread = threading.Thread(target=receiver.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{receiver.server_port}/hook"
        with serving(tmp_path, REGISTRY, webhook_url=url, webhook_secret=f"whsec_{'A' * 40}") as live:
            yield live
        receiver.shutdown()
        thread.join()


def test_webhooks_tell_that_an_approval_opened_and_that_its_run_ended(hooked: LiveApp) -> None:
    with hooked.client() as client:
        waits = waiting(client)
        [approval] = waits["approvals"]
        decide(client, approval)
        hooked.eventually(lambda: len(Hook.taken) == 2, 15)
    opened, ended = sorted(Hook.taken, key=lambda told: str(told["type"]))
    assert (opened["type"], opened["data"]["id"]) == ("approval.opened", approval["id"])
    assert "args" not in opened["data"]
    assert (ended["type"], ended["data"]["run_id"]) == ("run.ended", waits["run_id"])
    assert (ended["data"]["status"], ended["tenant_id"]) == ("completed", "acme")
    assert all(told["signature"].startswith("v1,") for told in Hook.taken)


def test_a_run_that_waits_takes_no_place_in_the_limits(tmp_path: Path) -> None:
    plans = {"default": {"requests_per_minute": 1000, "burst": 1000, "concurrent_runs": 1}}
    with serving(tmp_path, REGISTRY, plans=plans) as live, live.client() as client:
        asked = [waiting(client) for _ in range(3)]
        for waits in asked:
            assert decide(client, waits["approvals"][0]).status_code == 200
            assert the_end(client, waits["run_id"])[-1].data["status"] == "completed"
        assert waiting(client)["status"] == "waiting"


class TestLangServe:
    def test_invoke_is_a_conflict_that_names_what_waits(self, client: httpx.Client) -> None:
        answer = client.post("/pay/invoke", json={"input": {"input": "Pay Bob."}})
        problem = answer.json()
        assert (answer.status_code, problem["type"]) == (409, "urn:gatehouse:problem:approval-required")
        approval = client.get(f"/api/approvals/{problem['approval_ids'][0]}").json()
        assert approval["run_id"] == problem["run_id"]
        decide(client, approval)
        assert the_end(client, problem["run_id"])[-1].data["status"] == "completed"

    @pytest.mark.parametrize("operation", ["stream", "stream_log", "stream_events"])
    def test_a_stream_ends_with_the_problem(self, client: httpx.Client, operation: str) -> None:
        text = client.post(f"/pay/{operation}", json={"input": {"input": "Pay Bob."}}).text
        error = frames_in(text)[-1]
        assert error.event == "error"
        assert error.data["status_code"] == 409
        assert error.data["approval_ids"]


@pytest.mark.requirement("openai.responses.approvals")
class TestOpenAIResponses:
    """A person's word in the vocabulary of OpenAI's clients: `mcp_approval_request` and `_response`."""

    @pytest.fixture
    def openai_client(self, live: LiveApp) -> Iterator[openai.OpenAI]:
        PAID.clear()
        with openai.OpenAI(base_url=f"{live.url}/v1", api_key=token(), max_retries=0) as made:
            yield made

    def answer(self, request: Any, **said: Any) -> Any:
        return {"type": "mcp_approval_response", "approval_request_id": request.id, **said}

    @pytest.mark.parametrize("approve", [True, False])
    def test_what_waits_is_an_item_and_the_answer_goes_on_with_the_run(
        self, openai_client: openai.OpenAI, *, approve: bool
    ) -> None:
        first: Any = openai_client.responses.create(model="pay", input="Pay Bob.")
        request = first.output[-1]
        assert (first.status, request.type, request.name) == ("completed", "mcp_approval_request", "transfer")
        assert json.loads(request.arguments) == {"to": "Bob", "amount": 100}
        assert PAID == []
        said = self.answer(request, approve=approve)
        then: Any = openai_client.responses.create(model="pay", input=[said], previous_response_id=first.id)
        assert (then.status, then.output_text) == ("completed", "It is done.")
        assert (then.id, then.previous_response_id) == (f"{first.id}_1", first.id)
        assert ([100] if approve else []) == PAID
        for response in (first, then):
            again: Any = openai_client.responses.retrieve(response.id)
            assert again.output == response.output

    def test_events_of_both_parts_are_numbered_from_0_and_told_again_the_same(
        self, openai_client: openai.OpenAI
    ) -> None:
        first: list[Any] = [*openai_client.responses.create(model="pay", input="Pay Bob.", stream=True)]
        request = first[-1].response.output[-1]
        said: Any = [self.answer(request, approve=True)]
        name = first[-1].response.id
        then: list[Any] = [
            *openai_client.responses.create(model="pay", input=said, previous_response_id=name, stream=True)
        ]
        assert then[-1].type == "response.completed"
        for events in (first, then):
            assert [event.sequence_number for event in events] == [*range(len(events))]
            again = openai_client.responses.retrieve(events[-1].response.id, stream=True)
            assert [event.to_dict() for event in again] == [event.to_dict() for event in events]

    def test_a_second_and_another_word_is_a_conflict(self, openai_client: openai.OpenAI) -> None:
        first: Any = openai_client.responses.create(model="pay", input="Pay Bob.")
        asked: Any = {"model": "pay", "previous_response_id": first.id}
        openai_client.responses.create(**asked, input=[self.answer(first.output[-1], approve=True)])
        with pytest.raises(openai.ConflictError):
            openai_client.responses.create(**asked, input=[self.answer(first.output[-1], approve=False)])
        assert PAID == [100]

    @pytest.mark.parametrize("said", [{}, {"approve": "yes"}])
    def test_an_answer_that_is_none_changes_nothing(self, openai_client: openai.OpenAI, said: Any) -> None:
        first: Any = openai_client.responses.create(model="pay", input="Pay Bob.")
        answer = self.answer(first.output[-1], **said)
        for items in ([answer], [answer, {"role": "user", "content": "x"}]):
            with pytest.raises(openai.BadRequestError):
                openai_client.responses.create(model="pay", input=items, previous_response_id=first.id)
        with pytest.raises(openai.NotFoundError):
            openai_client.responses.create(model="pay", input=[answer], previous_response_id="resp_x")
        assert PAID == []

    def test_an_answer_to_what_another_response_asks_is_not_found(self, openai_client: openai.OpenAI) -> None:
        first, other = (openai_client.responses.create(model="pay", input="Pay Bob.") for _ in range(2))
        said = [self.answer(other.output[-1], approve=True)]
        with pytest.raises(openai.NotFoundError):
            openai_client.responses.create(model="pay", input=said, previous_response_id=first.id)
        assert PAID == []

    @pytest.mark.requirement("openai.chat.approval")
    def test_a_chat_is_told_in_words(self, openai_client: openai.OpenAI) -> None:
        asked: Any = {"model": "pay", "messages": [{"role": "user", "content": "Pay Bob."}]}
        *_, text, end = openai_client.chat.completions.create(**asked, stream=True)
        assert "transfer" in str(text.choices[0].delta.content)
        assert end.choices[0].finish_reason == "stop"
        whole: Any = openai_client.chat.completions.create(**asked).choices[0]
        assert ("transfer" in whole.message.content, whole.finish_reason, PAID) == (True, "stop", [])
