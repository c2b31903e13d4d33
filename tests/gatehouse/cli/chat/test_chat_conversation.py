"""Questions one after the other: in one thread, past those that fail, until somebody leaves."""

import json
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest
from event_servers import EventServer, frame, problem, start, stream

from gatehouse.cli.chat import conversation
from gatehouse.cli.chat.conversation import Conversation, Left
from gatehouse.cli.chat.server import Server
from gatehouse.cli.chat.view import Piped

END = frame("1-2", "end", status="completed")


def asked_of(monkeypatch: pytest.MonkeyPatch, *answers: httpx2.Response) -> tuple[EventServer, Conversation]:
    server = EventServer(answers)
    monkeypatch.setattr(Server, "client", lambda _self: server.client())
    return server, Conversation(Server("http://gatehouse.test", "gh_key"), {}, Piped)


def test_the_second_question_is_asked_in_the_thread_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    server, chat = asked_of(monkeypatch, stream(start(), END), stream(start(), END))
    chat.go_on(["Hi", "And you?"])
    assert [json.loads(request.content) for request in server.requests] == [
        {"query": "Hi"}, {"query": "And you?", "thread_id": "thread"}
    ]  # fmt: skip


def test_one_that_fails_is_told_and_not_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server, chat = asked_of(monkeypatch, problem(422, "Too long."), stream(start(), END))
    chat.go_on(["x" * 100, "Hi"])
    assert len(server.requests) == 2
    assert capsys.readouterr().err == "gatehouse: Too long.\n"


def test_who_leaves_is_asked_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def ask(_server: Server, question: Mapping[str, str], *_about: Any) -> None:
        asked.append(question["query"])
        raise KeyboardInterrupt

    monkeypatch.setattr(conversation, "ask", ask)
    _, chat = asked_of(monkeypatch)
    with pytest.raises(Left) as left:
        chat.go_on(["Hi", "And you?"])
    assert (asked, left.value.exit_code) == (["Hi"], 130)
