"""What a run's events amount to, in each view."""

import io
import json
import threading

import pytest
from rich.console import Console

from gatehouse.cli.chat.answer import REPLACED, VOID, Answer
from gatehouse.cli.chat.following import Event
from gatehouse.cli.chat.screen import Screen
from gatehouse.cli.chat.view import JsonLines, Piped, Quiet, View
from gatehouse.cli.chat.views import views


def event(type: str, content: str = "", **more: object) -> Event:
    return Event("1-1", {"type": type, "content": content, **more})


def tokens(*texts: str) -> list[Event]:
    return [event("token", text) for text in texts]


END = event("end", status="completed")
RESTARTED = [
    *tokens("A bo"),
    event("restart", "why", attempt=2),
    *tokens("A loan"),
    event("complete", "A loan"),
    END,
]


def shown(view: View, events: list[Event]) -> Answer:
    answer = Answer()
    with view:
        for item in events:
            answer.take(item, view)
        view.end(answer)
    return answer


class TestAnswer:
    def test_is_the_tokens(self) -> None:
        answer = shown(
            View(), [event("start", thread_id="t"), *tokens("A", " bond"), event("complete", "A bond"), END]
        )
        assert (answer.text, answer.thread_id, answer.status) == ("A bond", "t", "completed")

    def test_begins_anew_at_a_restart(self) -> None:
        assert shown(View(), RESTARTED).text == "A loan"

    def test_goes_on_after_a_gap(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert (
            shown(Piped(), [*tokens("A"), event("gap", text="A bond is"), *tokens(" a loan"), END]).text
            == "A bond is a loan"
        )
        assert capsys.readouterr().out == "A bond is a loan\n"

    def test_is_replaced_by_a_gap_that_does_not_go_on_from_it(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert shown(Piped(), [*tokens("A bond"), event("gap", text="Shares"), END]).text == "Shares"
        assert capsys.readouterr().out == f"A bond\n[{REPLACED}]\nShares\n"

    def test_that_came_in_one_piece_is_shown(self, capsys: pytest.CaptureFixture[str]) -> None:
        shown(Piped(), [event("complete", '{"title": "Bonds"}', usage={"output_tokens": None}), END])
        assert capsys.readouterr().out == '{"title": "Bonds"}\n'

    def test_waits_for_what_was_not_decided_yet(self) -> None:
        asked = [event("approval", approval={"id": name}) for name in ("first", "second")]
        answer = shown(View(), [asked[0], event("decided", "Carol approved."), asked[1]])
        assert answer.waits_for == [{"id": "second"}]

    def test_that_failed_keeps_the_problem(self) -> None:
        failed = event("end", status="failed")
        answer = shown(
            View(), [event("error", "It failed.", problem={"status": 504, "detail": "Late."}), failed]
        )
        assert (answer.status, answer.problem) == ("failed", {"status": 504, "detail": "Late."})
        assert shown(View(), [event("error", "It failed."), failed]).problem == {"detail": "It failed."}


class TestPiped:
    def test_is_the_text_with_its_prefix(self, capsys: pytest.CaptureFixture[str]) -> None:
        shown(Piped("AI: "), [*tokens("", "A", " bond\n"), END])
        assert capsys.readouterr().out == "AI: A bond\n"

    def test_marks_what_is_void(self, capsys: pytest.CaptureFixture[str]) -> None:
        shown(Piped(), RESTARTED)
        assert capsys.readouterr().out == f"A bo\n[{VOID}]\nA loan\n"

    def test_says_what_happens_on_stderr(self, capsys: pytest.CaptureFixture[str]) -> None:
        Piped().note("The connection was lost.")
        Piped().stopping()
        assert capsys.readouterr() == ("", "The connection was lost.\nStopping …\n")


class TestQuiet:
    def test_says_only_what_counts(self, capsys: pytest.CaptureFixture[str]) -> None:
        view = Quiet()
        view.note("The connection was lost.")
        shown(view, RESTARTED)
        assert capsys.readouterr() == ("A loan\n", "")

    def test_says_nothing_of_a_failed_answer(self, capsys: pytest.CaptureFixture[str]) -> None:
        shown(Quiet(), [*tokens("A bo"), event("end", status="failed")])
        assert capsys.readouterr().out == ""


def test_json_lines_are_the_events(capsys: pytest.CaptureFixture[str]) -> None:
    shown(JsonLines(), [*tokens("債\ud800"), END])
    first, last = capsys.readouterr().out.splitlines()
    assert first.isascii()
    assert json.loads(first) == {"id": "1-1", "type": "token", "content": "債\ud800"}
    assert json.loads(last)["status"] == "completed"


class TestScreen:
    @staticmethod
    def lines(events: list[Event], width: int = 60) -> list[str]:
        """Return what is printed for good: the status, which comes and goes, needs a terminal."""
        file = io.StringIO()
        shown(Screen(Console(file=file, width=width, force_terminal=False), "AI: "), events)
        return file.getvalue().splitlines()

    def test_ends_with_the_figures_that_the_model_gave(self) -> None:
        complete = event("complete", "A bond", usage={"output_tokens": 7})
        assert self.lines([*tokens("A", " bond"), complete, END])[1].startswith("7 tokens · ")

    def test_counts_the_answer_alone_where_tools_ran(self) -> None:
        ran = [event("tool_start", tool="calculator"), event("tool_end", tool="calculator", output="4")]
        complete = event("complete", "four", usage={"output_tokens": 70})
        assert self.lines([*ran, *tokens("four"), complete, END])[:2] == ["calculator: 4", "AI: four"]
        assert self.lines([*ran, *tokens("four"), complete, END])[2].startswith("1 token · ")

    def test_shortens_what_a_tool_gave(self) -> None:
        ran = [event("tool_start", tool="search"), event("tool_end", output="much\n" * 99, is_error=True)]
        assert self.lines([*ran, END], 30) == ["search failed: much much much…"]

    def test_marks_what_is_void(self) -> None:
        assert self.lines(RESTARTED)[:3] == ["AI: A bo", f"[{VOID}]", "A loan"]

    def test_says_what_happens_between_the_lines(self) -> None:
        file = io.StringIO()
        screen = Screen(Console(file=file, width=20, force_terminal=False))
        with screen:
            screen.say("one\ntwo")
            screen.note("The connection was lost.")
            screen.say(" three")
            screen.end(Answer())
        assert [line.strip() for line in file.getvalue().splitlines()] == [
            "one", "two", "The connection was", "lost.", "three", "2 tokens",
        ]  # fmt: skip

    def test_is_drawn_by_nobody_else_meanwhile(self) -> None:
        before = set(threading.enumerate())
        with Screen(Console(file=io.StringIO(), width=60, force_terminal=True)):
            assert set(threading.enumerate()) <= before

    def test_says_how_it_goes(self) -> None:
        screen = Screen(Console(file=io.StringIO(), width=60))
        screen.__enter__()
        assert screen._renderable().plain == "waiting 0 s"
        screen.tool_started("calculator\x1b")
        assert screen._renderable().plain == "running calculator␛ 0 s"
        screen.say("four")
        screen.stopping()
        screen.say(" and")
        assert screen._renderable().plain.splitlines()[0] == "four and"
        assert screen._renderable().plain.splitlines()[1].startswith("stopping 0 s · 2 tokens")
        screen.__exit__()


def test_a_dumb_terminal_gets_the_bare_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    options = {"no_color": False, "as_json": False, "quiet": False}
    assert isinstance(views("", **options)(), Screen)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(views("", **options)(), Piped)
