"""What a person at a terminal sees of `gatehouse chat`."""

import stat
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from chat_processes import chat_command, chat_environment, chat_terminal
from event_servers import RUN, start, tokens
from live_server import LiveServer
from rich.cells import cell_len
from terminal import CTRL_C, CTRL_D, terminal

JAPANESE = "債券とは、投資家が発行体に資金を貸す契約です。満期に元本が返ります。"
MIXED = f"{JAPANESE} Bonds are loans 🙂 to a company."


class Unanswering(BaseHTTPRequestHandler):
    """Says one token, takes the order to stop, and never comes to an end."""

    over = threading.Event()

    def do_POST(self) -> None:
        self.send_response(202 if self.path.endswith("/cancel") else 200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("x-run-id", RUN)
        self.end_headers()
        if not self.path.endswith("/cancel"):
            self.wfile.write((start() + tokens("t1")).encode())
            self.over.wait(60)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def unanswering() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Unanswering) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        Unanswering.over.set()
        server.shutdown()
        thread.join()


class TestAnswer:
    def test_is_there_with_its_figures(self, server: LiveServer, tmp_path: Path) -> None:
        with chat_terminal(server, tmp_path, "--prefix", "AI: ", "[tokens 30]") as screen:
            assert screen.exit_code() == 0
            lines = screen.seen.splitlines()
        assert lines[0].startswith("AI: t1 t2 t3 ")
        assert " ".join(lines[:-1]).split() == ["AI:", *(f"t{number}" for number in range(1, 31))]
        assert lines[-1].startswith("30 tokens · ")
        assert "tokens/s · first after 0." in lines[-1]

    def test_comes_token_by_token_over_a_line_that_says_how_it_goes(
        self, server: LiveServer, tmp_path: Path
    ) -> None:
        with chat_terminal(server, tmp_path, "[delay 0.05] [tokens 60]") as screen:
            seen = screen.wait_for("t3 ")
            assert "t60" not in seen
            assert seen.splitlines()[-1].startswith("answering ")
            assert screen.exit_code() == 0
            assert "answering" not in screen.seen

    def test_says_which_tool_runs_and_what_it_gave(self, server: LiveServer, tmp_path: Path) -> None:
        question = '[delay 0.02] [tool calculator {"expression": "6*7"}] [tokens 20]'
        with chat_terminal(server, tmp_path, "--runnable", "agent", question) as screen:
            assert screen.exit_code() == 0
            assert screen.seen.splitlines()[0].startswith("calculator: ")
            assert "42" in screen.seen.splitlines()[0]

    def test_goes_on_with_a_transfer_that_is_approved_there(self, server: LiveServer, tmp_path: Path) -> None:
        send = '[tool transfer_money {"to": "carol", "amount": 12.5}] [say Sent.]'
        with chat_terminal(server, tmp_path, "--runnable", "agent", send) as screen:
            seen = screen.wait_for("Decide (")
            assert "transfer_money waits for you." in seen
            assert '"amount": 12.5' in seen
            screen.press("a\r")
            screen.wait_for("Sent.")
            assert screen.exit_code() == 0

    @pytest.mark.parametrize("columns", [11, 20, 31])
    def test_fits_a_narrow_terminal_with_wide_characters(
        self, server: LiveServer, tmp_path: Path, columns: int
    ) -> None:
        question = f"[delay 0.01] [say {MIXED}]"
        with chat_terminal(server, tmp_path, question, columns=columns, rows=6) as screen:
            assert screen.exit_code() == 0
            lines = screen.seen.splitlines()
        assert all(cell_len(line) <= columns for line in lines)
        text = "".join("".join(lines).split())
        assert text.startswith("".join(MIXED.split()))  # nothing is lost, doubled or out of order

    def test_without_colour_has_none(self, server: LiveServer, tmp_path: Path) -> None:
        question = '[tool calculator {"expression": "1/0"}] [tokens 3]'
        with chat_terminal(server, tmp_path, "--no-color", "--runnable", "agent", question) as screen:
            assert screen.exit_code() == 0
            assert b"\x1b[31" not in screen.raw
        with chat_terminal(server, tmp_path, "--runnable", "agent", question) as screen:
            assert screen.exit_code() == 0
            assert b"\x1b[31" in screen.raw

    def test_cannot_command_the_terminal(self, server: LiveServer, tmp_path: Path) -> None:
        with chat_terminal(server, tmp_path, "[say \x1bcreset \x1b[2Jclear \x9b2Jclear here]") as screen:
            screen.wait_for("here")
            assert screen.exit_code() == 0
            assert "␛creset ␛[2Jclear" in screen.seen
            assert b"\x1bc" not in screen.raw
            assert b"\x1b[2J" not in screen.raw
            assert "\x9b".encode() not in screen.raw


class TestConversation:
    def test_goes_on_in_one_thread_until_ctrl_d(self, server: LiveServer, tmp_path: Path) -> None:
        with chat_terminal(server, tmp_path) as screen:
            screen.wait_for_prompt()
            screen.press("[say first answer]\r")
            screen.wait_for("first answer\n2 tokens")
            screen.wait_for_prompt()
            screen.press("[say second answer]\r")
            screen.wait_for("second answer\n2 tokens")
            screen.wait_for_prompt()
            screen.press(CTRL_D)
            assert screen.exit_code() == 0
        history = tmp_path / ".config" / "gatehouse" / "chat-history"
        assert "second answer" in history.read_text()
        assert stat.S_IMODE(history.stat().st_mode) == 0o600

    def test_knows_earlier_questions(self, server: LiveServer, tmp_path: Path) -> None:
        with chat_terminal(server, tmp_path) as screen:
            screen.wait_for_prompt()
            screen.press("[say once]\r")
            screen.wait_for("once\n1 token")
            screen.wait_for_prompt()
            screen.press(CTRL_D)
            screen.exit_code()
        with chat_terminal(server, tmp_path) as screen:
            screen.wait_for_prompt()
            screen.press("\x1b[A")
            screen.wait_for("> [say once]")

    def test_survives_a_question_that_fails(self, server: LiveServer, tmp_path: Path) -> None:
        with chat_terminal(server, tmp_path) as screen:
            screen.wait_for_prompt()
            screen.press("[fail]\r")
            screen.wait_for("gatehouse: The run failed.")
            screen.wait_for_prompt()
            screen.press("[say still here]\r")
            screen.wait_for("still here\n2 tokens")

    def test_asks_again_when_the_line_is_empty_or_was_given_up(
        self, server: LiveServer, tmp_path: Path
    ) -> None:
        with chat_terminal(server, tmp_path) as screen:
            screen.wait_for_prompt()
            screen.press("\r")
            screen.press("half a question")
            screen.wait_for("half a question")
            screen.press(CTRL_C)
            screen.press("[say whole]\r")
            screen.wait_for("whole\n1 token")
            screen.wait_for_prompt()
            screen.press(CTRL_C)
            assert screen.exit_code() == 0


class TestCtrlC:
    def test_stops_the_run_and_keeps_what_came(self, server: LiveServer, tmp_path: Path) -> None:
        with chat_terminal(server, tmp_path, "[delay 0.05] [tokens 1000]") as screen:
            screen.wait_for("t3 ")
            screen.press(CTRL_C)
            assert screen.exit_code() == 130
            assert "t3 " in screen.seen
            assert "\ncancelled · " in screen.seen
            assert "the run was stopped" in screen.seen
            assert "Traceback" not in screen.seen

    def test_returns_to_the_prompt_of_a_conversation(self, server: LiveServer, tmp_path: Path) -> None:
        with chat_terminal(server, tmp_path) as screen:
            screen.wait_for_prompt()
            screen.press("[delay 0.05] [tokens 1000]\r")
            screen.wait_for(" t3 t4 ")
            screen.press(CTRL_C)
            screen.wait_for("the run was stopped")
            screen.wait_for_prompt()
            screen.press("[say back]\r")
            screen.wait_for("back\n1 token")

    def test_leaves_the_second_time(self, tmp_path: Path, unanswering: str) -> None:
        environment = chat_environment(unanswering, "gh_key", tmp_path)
        with terminal(chat_command("Hi"), environment, tmp_path) as screen:
            screen.wait_for("t1")
            screen.press(CTRL_C)
            screen.wait_for("stopping ")
            screen.press(CTRL_C)
            assert screen.exit_code() == 130
            assert "left before the run had ended" in screen.seen
            assert "Traceback" not in screen.seen
