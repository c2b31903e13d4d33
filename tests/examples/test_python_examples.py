"""The examples in Python, each as a process of its own, against a server.

What each prints is read of forked processes; one more of each is executed, where its warnings would show.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from cut_streams import cutting_proxy
from gatehouse_processes import completed
from live_server import LiveServer

EXAMPLES = Path(__file__).parent.parent.parent / "examples" / "python"
LONG = "[delay 0.01] [tokens 100]"
STREAMING = [
    *("remote_runnable.py", "resuming.py", "openai_client.py", "openai_responses.py", "chat_openai.py"),
    "callbacks.py",
]
ANSWER = [f"t{number}" for number in range(1, 101)]


def printed(server: LiveServer, script: str, *arguments: str, **more: str) -> str:
    """Return what an example prints, when it has done its work without a complaint."""
    command = [sys.executable, str(EXAMPLES / script), *arguments]
    done = completed(command, {**environment(server), **more}, EXAMPLES)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def environment(server: LiveServer) -> dict[str, str]:
    return {**os.environ, "GATEHOUSE_URL": server.url, "GATEHOUSE_API_KEY": server.keys["alice"]}


def test_remote_runnable_streams_and_batches(server: LiveServer) -> None:
    question = '[tool calculator {"expression": "6*7"}] [tokens 3]'
    assert printed(server, "remote_runnable.py", "[tokens 3]", "[tokens 2]").splitlines() == [
        "t1 t2 t3", "t1 t2 t3", "[tokens 3]: t1 t2 t3", "[tokens 2]: t1 t2",
    ]  # fmt: skip
    assert printed(server, "remote_runnable.py", question).splitlines()[1] == "[calculator] t1 t2 t3"


def test_openai_client_goes_on_in_a_thread(server: LiveServer) -> None:
    models, first, _, second, _ = printed(server, "openai_client.py", "[tokens 3]", "[tokens 2]").splitlines()
    assert models == "models: chat, summarize, agent"
    assert (first, second) == ("t1 t2 t3", "t1 t2")


def test_chat_openai_streams_and_is_a_part_of_a_chain(server: LiveServer) -> None:
    assert printed(server, "chat_openai.py", "[tokens 3]").splitlines() == ["t1 t2 t3", "t1 t2 t3"]


def test_mcp_client_goes_on_in_a_thread(server: LiveServer) -> None:
    questions = ('[tool calculator {"expression": "6*7"}] [tokens 3]', "[tokens 2]")
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "mcp_client.py"), *questions],
        env=environment(server), capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["tools: agent", "t1 t2 t3", "t1 t2"]
    assert done.stderr.startswith("(Using tool: calculator)\n")


@pytest.mark.parametrize("script", ["resuming.py", "openai_responses.py"])
@pytest.mark.parametrize("cuts", [0, 1, 3])
def test_resuming_loses_and_repeats_nothing(server: LiveServer, script: str, cuts: int) -> None:
    with cutting_proxy(server.port, cuts) as proxy:
        text = printed(server, script, LONG, GATEHOUSE_URL=proxy.url)
        assert proxy.made == cuts
    assert text.split() == ANSWER


@pytest.mark.parametrize("script", STREAMING)
def test_ends_quietly_when_nobody_reads_on(server: LiveServer, script: str) -> None:
    """As `python resuming.py … | head -c 1` does."""
    arguments = [] if script == "callbacks.py" else [LONG]
    process = subprocess.Popen(
        [sys.executable, str(EXAMPLES / script), *arguments],
        env=environment(server), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(1)
    process.stdout.close()
    complaints = process.stderr.read().decode()
    assert process.wait(60) == 0, complaints
    process.stderr.close()
    assert [line for line in complaints.splitlines() if " tokens, " not in line] == []  # callbacks' progress


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda file: file.name)
def test_is_short(script: Path) -> None:
    assert len(script.read_text().splitlines()) < 60
