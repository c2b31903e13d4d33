"""The examples in JavaScript: under Node, and in Chromium, against a server."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from cut_streams import cutting_proxy
from live_server import LiveServer

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples" / "javascript"
CLIENTS = ["fetch-sse", "event-source", "web-socket", "remote-runnable", "ai-sdk", "openai-client"]
IN_THE_PAGE = ["fetch-sse", "event-source", "web-socket"]
RESUMING = [*IN_THE_PAGE, "ai-sdk", "openai-client"]
LONG = "[delay 0.01] [tokens 100]"
ANSWER = [f"t{number}" for number in range(1, 101)]
# what a shell's `node cli.js … | head -c 1` is
ONE_BYTE = """
const { spawn } = require("node:child_process");
const stdio = ["ignore", "pipe", "inherit"];
const cli = spawn(process.execPath, ["cli.js", ...process.argv.slice(1)], { stdio });
cli.stdout.once("data", () => cli.stdout.destroy());
cli.on("exit", (code) => process.exit(code ?? 1));
"""


def node(
    server: LiveServer, *command: str, needs: str = "node", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Return what Node did with an example, or with a program that uses them."""
    if shutil.which(needs) is None:
        pytest.skip(f"{needs} is not installed")
    if not (EXAMPLES / "node_modules").exists():
        pytest.skip("the packages of the examples are not installed: make e2e")
    return subprocess.run(
        ["node", *command],
        env={**os.environ, "GATEHOUSE_URL": server.url, "GATEHOUSE_API_KEY": server.keys["alice"], **environment},
        cwd=EXAMPLES, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


@pytest.mark.e2e
class TestNode:
    @pytest.mark.parametrize("client", CLIENTS)
    @pytest.mark.parametrize("runnable", ["chat", "agent"])
    def test_prints_the_answer(self, server: LiveServer, client: str, runnable: str) -> None:
        done = node(server, "cli.js", client, "[tokens 6]", runnable)
        assert (done.returncode, done.stdout, done.stderr) == (0, "t1 t2 t3 t4 t5 t6\n", "")

    @pytest.mark.parametrize("client", RESUMING)
    @pytest.mark.parametrize("cuts", [1, 3])
    def test_loses_and_repeats_nothing(self, server: LiveServer, client: str, cuts: int) -> None:
        with cutting_proxy(server.port, cuts) as proxy:
            done = node(server, "cli.js", client, LONG, GATEHOUSE_URL=proxy.url)
            assert proxy.made == cuts
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.split() == ANSWER

    @pytest.mark.parametrize("client", CLIENTS)
    def test_says_that_a_run_failed(self, server: LiveServer, client: str) -> None:
        done = node(server, "cli.js", client, "[fail]")
        assert done.returncode == 1
        assert "The run failed." in done.stderr

    @pytest.mark.parametrize("client", CLIENTS)
    def test_says_that_the_server_refuses(self, server: LiveServer, client: str) -> None:
        done = node(server, "cli.js", client, "Hi", GATEHOUSE_API_KEY="gh_dev_nonsense")
        assert done.returncode == 1
        assert "not valid" in done.stderr

    @pytest.mark.parametrize("client", CLIENTS)
    def test_ends_quietly_when_nobody_reads_on(self, server: LiveServer, client: str) -> None:
        done = node(server, "-e", ONE_BYTE, client, LONG)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.e2e
def test_page_in_chromium(server: LiveServer) -> None:
    """The page lies on the server's own origin, as behind a reverse proxy, and its connections are cut."""
    artefacts = ROOT / "test-artifacts"
    artefacts.mkdir(exist_ok=True)
    script = str(Path(__file__).parent / "page.mjs")
    with cutting_proxy(server.port, cuts=2) as proxy:
        done = node(
            server, script, needs="chromium", GATEHOUSE_URL=proxy.url, EXAMPLES=str(EXAMPLES), QUESTION=LONG,
            CHROMIUM=shutil.which("chromium") or "", GATEHOUSE_ARTEFACTS=str(artefacts),
        )  # fmt: skip
        assert proxy.made == 2
    assert done.returncode == 0, done.stdout + done.stderr
    seen = json.loads(done.stdout)
    assert {name: answer.split() for name, answer in seen["answers"].items()} == dict.fromkeys(
        IN_THE_PAGE, ANSWER
    )
    assert all("first token after " in heading for heading in seen["headings"])


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.js")), ids=lambda file: file.name)
def test_is_short(script: Path) -> None:
    assert len(script.read_text().splitlines()) < 60
