"""What a run waits for is asked at the terminal, and the same answer goes on."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
import typer
from event_servers import RUN, EventServer, frame, problem, start, stream, tokens

from gatehouse.cli.chat.conversation import Conversation
from gatehouse.cli.chat.exits import Waits
from gatehouse.cli.chat.server import Server
from gatehouse.cli.chat.view import Piped
from gatehouse.cli.failure import Failed

ID = "0198c0de-0000-7000-8000-000000000005"
APPROVAL: dict[str, Any] = {
    "id": ID, "kind": "tool", "tool": "transfer", "args": {"to": "Bob", "amount": 5}, "digest": "d1",
    "description": "Send money", "allowed": ["approve", "edit", "reject", "respond"],
}  # fmt: skip
ASKED = frame("1-3", "approval", "transfer waits", approval=APPROVAL) + frame("1-4", "end", status="waiting")


def went_on() -> httpx2.Response:
    return stream(
        frame("2-1", "decided", "Alice approved transfer.", approval_id=ID),
        tokens("Done.", first=2, attempt=2),
        frame("2-3", "complete", "Hm. Done.", usage={"output_tokens": 2}),
        frame("2-4", "end", status="completed"),
    )


def decided(**body: Any) -> httpx2.Response:
    return httpx2.Response(200, json={"status": "approved", **body})


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is entered, line by line; an empty line takes what is offered."""
    lines: list[str] = []

    def prompt(_label: str, default: Any = None, **_more: Any) -> str:
        return lines.pop(0) or str(default)

    monkeypatch.setattr(typer, "prompt", prompt)
    yield lines
    assert lines == []


Chat = Callable[..., EventServer]


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Chat:
    """Ask one question of a server that answers like this; return the server."""

    def ask(*answers: httpx2.Response, decides: bool = True) -> EventServer:
        server = EventServer([stream(start(), tokens("Hm. "), ASKED), *answers])
        monkeypatch.setattr(Server, "client", lambda _self: server.client())
        Conversation(Server("http://gatehouse.test", "gh_key"), {}, Piped, decides=decides).ask("Pay Bob.")
        return server

    return ask


def sent(server: EventServer) -> list[dict[str, Any]]:
    return [json.loads(item.content) for item in server.requests if "/decision" in item.url.path]


class TestConversation:
    def test_goes_on_with_what_is_approved(
        self, chat: Chat, typed: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        typed += ["a"]
        server = chat(decided(), went_on())
        assert sent(server) == [{"decision": "approve", "digest": "d1"}]
        joined = server.requests[-1]
        assert (joined.url.path, joined.headers["last-event-id"]) == (f"/api/runs/{RUN}/stream", "1-4")
        shown = capsys.readouterr()
        assert "Done." in shown.out
        assert "Send money" in shown.err
        assert "Alice approved transfer." in shown.err

    @pytest.mark.parametrize(
        ("lines", "decision"),
        [
            (
                ["edit", '{"to": "Eve", "amount": 1}'],
                {"decision": "edit", "args": {"to": "Eve", "amount": 1}},
            ),
            (["e", "no json", ""], {"decision": "edit", "args": APPROVAL["args"]}),
            (["r", "too much"], {"decision": "reject", "message": "too much"}),
            (["r", ""], {"decision": "reject"}),
            (["what", "s", "I did it"], {"decision": "respond", "message": "I did it"}),
        ],
    )
    def test_sends_what_was_entered(
        self, chat: Chat, typed: list[str], lines: list[str], decision: dict[str, Any]
    ) -> None:
        typed += lines
        assert sent(chat(decided(), went_on())) == [{**decision, "digest": "d1"}]

    def test_asks_again_after_a_faulty_decision(self, chat: Chat, typed: list[str]) -> None:
        typed += ["e", '{"to": 5}', "a"]
        server = chat(problem(422, "The request has faulty fields."), decided(), went_on())
        assert [item["decision"] for item in sent(server)] == ["edit", "approve"]

    @pytest.mark.parametrize("status", [409, 410])
    def test_goes_on_when_somebody_else_was_first_or_nobody_in_time(
        self, chat: Chat, typed: list[str], status: int
    ) -> None:
        typed += ["a"]
        assert len(sent(chat(problem(status, "It is decided already."), went_on()))) == 1

    def test_fails_when_it_may_not_decide(self, chat: Chat, typed: list[str]) -> None:
        typed += ["a"]
        with pytest.raises(Failed, match="Somebody else"):
            chat(problem(403, "Somebody else has to decide on this."))

    def test_without_a_person_says_what_waits(self, chat: Chat, typed: list[str]) -> None:
        assert typed == []
        with pytest.raises(Waits, match=ID) as waits:
            chat(decides=False)
        assert waits.value.exit_code == 6
