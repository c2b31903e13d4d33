"""The AI SDK's UI stream over HTTP: a chat is a thread, its answer can be resumed, asked again and stopped."""

import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from live_app import LiveApp, bearer
from probe_runnables import numbered

SLOW = "[delay 0.02][tokens 200]"


@pytest.fixture
def client(shared: LiveApp) -> Iterator[httpx.Client]:
    with shared.client() as client:
        yield client


def said(text: str, **fields: Any) -> dict[str, Any]:
    """Return a message of the user's as `useChat` keeps it."""
    return {"id": f"m-{uuid4()}", "role": "user", "parts": [{"type": "text", "text": text}], **fields}


def answered(message_id: str) -> dict[str, Any]:
    return {"id": message_id, "role": "assistant", "parts": []}


def post(
    client: httpx.Client, chat: str, *messages: Any, entry: str = "chat", **fields: Any
) -> httpx.Response:
    body = {"id": chat, "messages": messages, "trigger": "submit-message", **fields}
    return client.post(f"/api/ui/{entry}/chat", json=body)


def chunks(text: str) -> list[dict[str, Any]]:
    assert text.endswith("data: [DONE]\n\n")
    frames = (frame.removeprefix("data: ") for frame in text.split("\n\n") if frame.startswith("data: {"))
    return [json.loads(frame) for frame in frames]


def asked(client: httpx.Client, chat: str, *messages: Any, **fields: Any) -> list[dict[str, Any]]:
    response = post(client, chat, *messages, **fields)
    assert response.status_code == 200, response.text
    assert response.headers["x-vercel-ai-ui-message-stream"] == "v1"
    return chunks(response.text)


def text_of(told: list[dict[str, Any]]) -> str:
    return "".join(chunk["delta"] for chunk in told if chunk["type"] == "text-delta")


def thread_of(told: list[dict[str, Any]]) -> str:
    return str(told[0]["messageMetadata"]["threadId"])


def contents(client: httpx.Client, thread_id: str) -> list[str]:
    items = client.get(f"/api/threads/{thread_id}/messages").json()["items"]
    return [message["content"] for message in items]


class TestChat:
    @pytest.mark.requirement("ui.thread")
    def test_is_a_thread_that_goes_on(self, client: httpx.Client) -> None:
        chat = f"chat-{uuid4()}"
        first = asked(client, chat, said("[say one]"))
        second = asked(client, chat, said("not read"), said("[say two]"))
        assert thread_of(first) == thread_of(second)
        assert contents(client, thread_of(first)) == ["[say one]", "one", "[say two]", "two"]

    def test_goes_on_in_a_thread_of_the_caller_s_by_its_id(self, client: httpx.Client) -> None:
        thread_id = client.post("/api/chat", json={"query": "[say one]"}).json()["thread_id"]
        assert thread_of(asked(client, thread_id, said("[say two]"))) == thread_id

    @pytest.mark.requirement("ui.thread")
    def test_with_another_runnable_under_the_same_name_is_another(self, client: httpx.Client) -> None:
        chat = f"chat-{uuid4()}"
        first = asked(client, chat, said("[say one]"))
        other = asked(client, chat, said("What is 1+2?"), entry="agent")
        assert thread_of(first) != thread_of(other)

    @pytest.mark.requirement("ui.thread")
    def test_of_another_under_the_same_name_is_another(self, shared: LiveApp, client: httpx.Client) -> None:
        mine = asked(client, "the-same", said("[say mine]"))
        with shared.client(bearer("bob")) as bob:
            theirs = asked(bob, "the-same", said("[say theirs]"))
            assert contents(bob, thread_of(theirs)) == ["[say theirs]", "theirs"]
            stolen = asked(bob, thread_of(mine), said("[say stolen]"))
            assert thread_of(stolen) != thread_of(mine)
        assert "theirs" not in contents(client, thread_of(mine))

    @pytest.mark.requirement("ui.tools")
    def test_shows_the_tools_of_an_agent(self, client: httpx.Client) -> None:
        told = asked(
            client,
            f"tools-{uuid4()}",
            said('[tool calculator {"expression": "2+2"}][say four]'),
            entry="agent",
        )
        (call,) = (chunk for chunk in told if chunk["type"] == "tool-input-available")
        (result,) = (chunk for chunk in told if chunk["type"] == "tool-output-available")
        assert (call["toolName"], call["dynamic"], call["input"]) == (
            "calculator",
            True,
            {"expression": "2+2"},
        )
        assert "4" in result["output"]
        assert text_of(told) == "four"

    @pytest.mark.requirement("wires.files")
    def test_takes_files_where_the_runnable_does(self, client: httpx.Client) -> None:
        picture = {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,iVBORw0KGgo="}
        message = {"id": "m", "role": "user", "parts": [picture, {"type": "text", "text": "What is it?"}]}
        told = asked(client, f"files-{uuid4()}", message, entry="messages")
        assert "image/png" in text_of(told)
        assert post(client, "files", message, entry="chat").text.startswith("The request")

    def test_tells_a_failure_in_the_stream(self, client: httpx.Client) -> None:
        told = asked(client, f"failed-{uuid4()}", said("[fail]"))
        assert told[2] == {"type": "error", "errorText": "The run failed. The server's log has the cause."}


class TestAskingAgain:
    @pytest.fixture
    def chat(self) -> str:
        return f"again-{uuid4()}"

    @pytest.fixture
    def answers(self, client: httpx.Client, chat: str) -> list[str]:
        """The ids of two answers of a chat."""
        return [asked(client, chat, said(f"[say {word}]"))[0]["messageId"] for word in ("one", "two")]

    @pytest.mark.parametrize("named", [True, False])
    @pytest.mark.requirement("ui.edit")
    def test_begins_a_branch(
        self, client: httpx.Client, chat: str, answers: list[str], *, named: bool
    ) -> None:
        which = {"messageId": answers[1]} if named else {}
        again = asked(client, chat, said("[say two]"), trigger="regenerate-message", **which)
        assert again[0]["messageId"] not in answers
        assert contents(client, thread_of(again)) == ["[say one]", "one", "[say two]", "two"]

    def test_of_an_edited_question_replaces_it_and_what_follows(
        self, client: httpx.Client, chat: str, answers: list[str]
    ) -> None:
        first = said("[say first]")
        edited = asked(client, chat, first, messageId=first["id"])
        assert contents(client, thread_of(edited)) == ["[say first]", "first"]

    @pytest.mark.requirement("ui.edit")
    def test_of_a_later_question_keeps_what_is_before_it(
        self, client: httpx.Client, chat: str, answers: list[str]
    ) -> None:
        second = said("[say second]")
        earlier = (said("[say one]"), answered(answers[0]))
        edited = asked(client, chat, *earlier, second, messageId=second["id"])
        assert contents(client, thread_of(edited)) == ["[say one]", "one", "[say second]", "second"]

    def test_after_an_answer_that_is_not_there_is_refused(
        self, client: httpx.Client, chat: str, answers: list[str]
    ) -> None:
        message = said("[say second]")
        refused = post(client, chat, answered("unknown"), message, messageId=message["id"])
        assert (refused.status_code, refused.text) == (404, "The message that is edited is not in this chat.")


class TestResume:
    @pytest.mark.requirement("ui.resume")
    def test_tells_the_answer_from_its_beginning(self, client: httpx.Client) -> None:
        chat = f"resumed-{uuid4()}"
        message_id = begun(client, chat)
        with client.stream("GET", f"/api/ui/chat/chat/{chat}/stream") as stream:
            told = chunks(stream.read().decode())
        assert told[0]["messageId"] == message_id
        assert text_of(told) == "".join(numbered(200))

    @pytest.mark.requirement("ui.resume")
    def test_finds_nothing_where_nothing_goes_on(self, shared: LiveApp, client: httpx.Client) -> None:
        chat = f"ended-{uuid4()}"
        told = asked(client, chat, said("[say one]"))
        path = f"/api/ui/chat/chat/{chat}/stream"
        assert client.get(path).status_code == 204
        assert client.get("/api/ui/chat/chat/unknown/stream").status_code == 204
        ended = {"message": told[0]["messageId"]}
        assert text_of(chunks(client.get(path, params=ended).text)) == "one"
        with shared.client(bearer("bob")) as bob:
            assert bob.get(path).status_code == 204
            assert bob.get(path, params=ended).status_code == 404

    def test_of_another_s_chat_finds_nothing(self, shared: LiveApp, client: httpx.Client) -> None:
        chat = f"mine-{uuid4()}"
        run_id = begun(client, chat)
        with shared.client(bearer("bob")) as bob:
            assert bob.get(f"/api/ui/chat/chat/{chat}/stream").status_code == 204
            assert bob.post(f"/api/ui/chat/chat/{chat}/stop").status_code == 204
        assert shared.running(run_id)
        client.post(f"/api/ui/chat/chat/{chat}/stop")


class TestStop:
    @pytest.mark.requirement("ui.stop")
    def test_ends_the_answer(self, client: httpx.Client) -> None:
        chat = f"stopped-{uuid4()}"
        run_id = begun(client, chat)
        assert client.post(f"/api/ui/chat/chat/{chat}/stop").status_code == 204
        told = chunks(client.get(f"/api/ui/chat/chat/{chat}/stream", params={"message": run_id}).text)
        assert told[-1]["type"] == "abort"

    def test_of_what_another_credential_has_begun_needs_the_scope(
        self, shared: LiveApp, client: httpx.Client
    ) -> None:
        chat = f"scoped-{uuid4()}"
        run_id = begun(client, chat)
        with shared.client(bearer(scopes=["runnable:chat", "threads:read", "runs:read"])) as reader:
            refused = reader.post(f"/api/ui/chat/chat/{chat}/stop")
        assert (refused.status_code, "runs:write" in refused.text) == (403, True)
        assert shared.running(run_id)
        client.post(f"/api/ui/chat/chat/{chat}/stop")

    @pytest.mark.requirement("ui.stop")
    def test_is_what_the_next_question_does(self, client: httpx.Client) -> None:
        chat = f"replaced-{uuid4()}"
        run_id = begun(client, chat)
        assert text_of(asked(client, chat, said("[say next]"))) == "next"
        assert client.get(f"/api/runs/{run_id}").json()["state"] == "cancelled"


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "status", "sentence"),
        [
            ({"messages": [said("Hi")]}, 422, "The request has faulty fields. body.id: Field required."),
            ({"id": "c", "messages": []}, 422, "The last message must be the user's."),
            ({"id": "c", "messages": [answered("x")]}, 422, "The last message must be the user's."),
            (
                {"id": "c", "messages": [said(" ")]},
                422,
                "The last message has neither text nor a file: send one that says something.",
            ),
        ],
    )
    @pytest.mark.requirement("ui.errors")
    def test_are_sentences(
        self, client: httpx.Client, body: dict[str, Any], status: int, sentence: str
    ) -> None:
        refused = client.post("/api/ui/chat/chat", json=body)
        assert (refused.status_code, refused.text) == (status, sentence)
        assert refused.headers["content-type"] == "text/plain; charset=utf-8"

    def test_tell_of_who_may_not_ask(self, shared: LiveApp, client: httpx.Client) -> None:
        assert post(client, "c", said("Hi"), entry="none").text == "There is no such runnable."
        with shared.client({}) as nobody:
            refused = post(nobody, "c", said("Hi"))
            assert (refused.status_code, refused.headers["content-type"][:10]) == (401, "text/plain")
        with shared.client(bearer(scopes=["runnable:agent"])) as weak:
            assert post(weak, "c", said("Hi")).status_code == 403

    def test_a_file_that_is_none(self, client: httpx.Client) -> None:
        part = {"type": "file", "mediaType": "image/png", "url": "file:///etc/passwd"}
        refused = post(client, "c", {"id": "m", "role": "user", "parts": [part]}, entry="messages")
        assert refused.status_code == 422
        assert "data: URL" in refused.text


def begun(client: httpx.Client, chat: str) -> str:
    """Begin a slow answer, leave it, and return its id."""
    body = {"id": chat, "messages": [said(SLOW)]}
    with client.stream("POST", "/api/ui/chat/chat", json=body) as stream:
        return str(stream.headers["x-run-id"])
