"""An answer in a terminal that outlives its server: SIGKILL in the middle, another process on the same port."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from chat_processes import chat_command, chat_terminal, of_alice
from gatehouse_processes import GATEHOUSE, ServerProcess, started
from live_server import LiveServer, running_server, server_environment, wait_until_ready

from gatehouse.cli.chat.answer import VOID

QUESTION = "[delay 0.05] [tokens 90]"
ANSWER = [f"t{number}" for number in range(1, 91)]


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[LiveServer]:
    """A server whose runs another process can go on with."""
    with running_server(tmp_path, GATEHOUSE_RUN_LEASE="2") as server:
        yield server


class Successor:
    """Kills a server, and starts another one on its port, with the same data."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.process: ServerProcess | None = None

    def take_over(self) -> None:
        self.server.send(signal.SIGKILL)
        self.server.process.wait()
        variables = server_environment(
            self.server.folder,
            GATEHOUSE_RUN_LEASE="2",
            PORT=str(self.server.port),
        )
        nowhere = Path(os.devnull)
        self.process = started([GATEHOUSE, "serve"], variables, self.server.folder, nowhere, nowhere)
        wait_until_ready(LiveServer(self.server.url, self.server.port, self.server.folder, {}, self.process))


@pytest.fixture
def successor(mortal: LiveServer) -> Iterator[Successor]:
    successor = Successor(mortal)
    yield successor
    if successor.process is not None:
        successor.process.terminate()
        successor.process.wait(30)


def test_the_answer_begins_anew_for_a_person_and_is_the_one_that_counts_for_a_program(
    mortal: LiveServer, successor: Successor, tmp_path: Path
) -> None:
    quiet = subprocess.Popen(
        chat_command("--quiet", QUESTION), env=of_alice(mortal, tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )  # fmt: skip
    with quiet, chat_terminal(mortal, tmp_path, QUESTION, columns=40) as screen:
        screen.wait_for("t9 ")
        wait_for_questions(mortal, 2)
        successor.take_over()
        answer, complaints = quiet.communicate(timeout=60)
        assert screen.exit_code() == 0
        before, after = " ".join(screen.seen.split()).split(f"[{VOID}]")
    assert "The connection was lost" in before
    said, _, figures = after.partition(" 90 tokens ")
    assert said.split() == ANSWER
    assert figures
    assert (quiet.returncode, complaints) == (0, b"")
    assert answer.decode().split() == ANSWER


def wait_for_questions(server: LiveServer, count: int) -> None:
    """Return when alice has asked so many: each opens a thread."""
    headers = {"x-api-key": server.keys["alice"]}
    until = time.monotonic() + 20
    while len(httpx.get(f"{server.url}/api/threads", headers=headers).json()["items"]) < count:
        assert time.monotonic() < until
        time.sleep(0.1)
