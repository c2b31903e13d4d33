"""What processes that are forked have of their own, and what they share."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are forked on Linux only")

# what the one import left, and then each way in which an id, a key or a pause comes about, in forked processes
SIBLINGS = """
import gc, json, os, random, secrets, sys, uuid
import gatehouse.cli.serving.preloaded
threads = len(os.listdir("/proc/self/task"))
print(json.dumps({"threads": threads, "frozen": gc.get_freeze_count(), "app": "gatehouse.main" in sys.modules}))

from langchain_core.utils.uuid import uuid7
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
import uuid_utils

def made():
    spans = RandomIdGenerator()
    return [uuid7().hex[12:], uuid_utils.uuid4().hex, uuid.uuid4().hex, secrets.token_hex(), random.random(),
            spans.generate_trace_id(), spans.generate_span_id(), os.urandom(8).hex()]

print(*made(), flush=True)
for _ in range(3):
    if os.fork() == 0:
        print(*made(), flush=True)
        os._exit(0)
    os.wait()
"""
PROBE = """
import os, signal, sys
preloaded = "gatehouse.main" in sys.modules  # before anything here has imported it
from gatehouse.process.fork_server import begin

def tell(environment):
    held_back = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    begin(environment)
    through = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    print(preloaded, signal.SIGTERM in held_back, signal.SIGTERM in through, dict(os.environ), sep=";")
"""
STARTER = """
import os, sys
sys.path.append(".")
from gatehouse.process.fork_server import process_context
import fork_probe
if __name__ == "__main__":
    process_context()
    os.environ["SET_LATER"] = "yes"
    process = process_context().Process(target=fork_probe.tell, args=(dict(os.environ),))
    process.start()
    process.join()
"""


@pytest.fixture(scope="module")
def siblings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What is told of the import, and then the ids of each process, which were all used before the fork."""
    return printed_by(SIBLINGS, tmp_path_factory.mktemp("siblings")).splitlines()


@pytest.fixture(scope="module")
def probed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What a process tells that was started in a folder with another `app`."""
    folder = tmp_path_factory.mktemp("probed")
    (folder / "fork_probe.py").write_text(PROBE)
    (folder / "app.py").write_text("raise SystemExit('the wrong one')")
    return printed_by(STARTER, folder).strip().split(";")


def printed_by(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=folder,
        env={"PATH": os.environ["PATH"]},
    )
    return done.stdout


class TestForkedProcesses:
    def test_never_make_the_same_ids(self, siblings: list[str]) -> None:
        rows = [line.split() for line in siblings[1:]]
        assert len(rows) == 4
        for column in zip(*rows, strict=True):
            assert len(set(column)) == 4, column

    def test_share_one_import_that_started_no_thread(self, siblings: list[str]) -> None:
        """A thread is not there in a forked process, and a lock that it held is held for ever."""
        preloaded = json.loads(siblings[0])
        assert preloaded["app"]
        assert preloaded["threads"] == 1
        assert preloaded["frozen"] > 100_000

    def test_have_the_environment_and_the_signals_of_who_started_them(self, probed: list[str]) -> None:
        _, held_back, through, environment = probed
        assert (held_back, through) == ("True", "False")
        own = {"PATH": os.environ["PATH"], "LC_CTYPE": "C.UTF-8", "SET_LATER": "yes"}
        own["LANGGRAPH_STRICT_MSGPACK"] = "true"  # ours: gatehouse.runs.checkpoints
        assert {**ast.literal_eval(environment), "LC_CTYPE": "C.UTF-8"} == own  # which Python sets by itself

    def test_are_of_this_application_in_a_folder_with_another_app(self, probed: list[str]) -> None:
        assert probed[0] == "True"
