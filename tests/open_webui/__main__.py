"""Open WebUI from PyPI before a Gatehouse, used with a browser: `make open-webui`."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from gatehouse_processes import GATEHOUSE
from live_server import LiveServer, free_port, running_server, server_environment

ROOT = Path(__file__).parents[2]
VERSION = "0.12.4"
# of two gigabytes, for embeddings of documents alone
LEFT_OUT = "torch; sys_platform == 'never'\n"
SECRET = "Open WebUI and this server know it: 0123456789"
ADMIN = {"EMAIL": "ada@example.com", "PASSWORD": "a word that nobody else has", "NAME": "Ada"}
SCOPES = ("users:forward", "runnable:chat", "runnable:agent", "threads:write")
START_SECONDS = 300


def main() -> int:
    """Return 0 when a person could sign in, choose a runnable and chat, as themselves."""
    arguments = parsed()
    program = installed(arguments.folder)
    with (
        tempfile.TemporaryDirectory(prefix="gatehouse-open-webui-") as name,
        running_server(Path(name), GATEHOUSE_OPENWEBUI_JWT_SECRET=SECRET) as gatehouse,
        running_open_webui(program, Path(name), gatehouse) as url,
    ):
        picture = ROOT / "docs" / "images" if arguments.write else Path(name)
        used(url, picture / "open-webui.png")
        shown_to_be_their_own(url, gatehouse)
    print("Open WebUI: signed in, chose a runnable, read the answer, and was its user.")
    return 0


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Uses Open WebUI with a browser.")
    parser.add_argument("--folder", type=Path, default=ROOT / ".open-webui", help="where it is installed")
    parser.add_argument("--write", action="store_true", help="keep the picture in docs/images")
    return parser.parse_args()


def installed(folder: Path) -> str:
    """Return Open WebUI's program, which is installed where it is not yet."""
    program = folder / "bin" / "open-webui"
    if not program.exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", "3.11", folder], check=True)
        overrides = folder / "overrides.txt"
        overrides.write_text(LEFT_OUT)
        install = ["pip", "install", "--quiet", "--python", str(folder / "bin" / "python")]
        subprocess.run([uv, *install, "--override", overrides, f"open-webui=={VERSION}"], check=True)
    return str(program)


@contextmanager
def running_open_webui(program: str, folder: Path, gatehouse: LiveServer) -> Iterator[str]:
    """Yield the address of an Open WebUI whose models are the runnables; end it afterwards."""
    port = free_port()
    environment = {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        **{f"WEBUI_ADMIN_{name}": value for name, value in ADMIN.items()},
        "GATEHOUSE_URL": gatehouse.url,
        "GATEHOUSE_API_KEY": key_of_all(gatehouse),
        "GATEHOUSE_OPENWEBUI_JWT_SECRET": SECRET,
        "DATA_DIR": str(folder / "open-webui"),
        "WEBUI_SECRET_KEY": SECRET,
        "OFFLINE_MODE": "true",  # nothing is fetched from a hub
        "RAG_EMBEDDING_ENGINE": "openai",
        "AUDIO_STT_ENGINE": "openai",
    }
    (folder / "open-webui").mkdir()
    command = ["sh", str(ROOT / "examples/open_webui/start.sh"), program, "serve"]
    listening = ["--host", "127.0.0.1", "--port", str(port)]
    with (folder / "open-webui.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *listening], env=environment, cwd=folder, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        wait_until_it_answers(process, f"http://127.0.0.1:{port}/health", folder / "open-webui.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait_until_it_answers(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(address, timeout=5):  # an address of ours
            return
        time.sleep(0.5)
    raise SystemExit(f"Open WebUI does not answer.\n{log.read_text()[-3000:]}")


def key_of_all(gatehouse: LiveServer) -> str:
    """Return the key that Open WebUI speaks for its users with."""
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    made = subprocess.run(
        [GATEHOUSE, "keys", "create", "--tenant", "acme", "--user", "open-webui", *scopes, "--json"],
        env=server_environment(gatehouse.folder), cwd=gatehouse.folder, capture_output=True, check=True,
    )  # fmt: skip
    key: str = json.loads(made.stdout)["key"]
    return key


def used(url: str, picture: Path) -> None:
    """Sign in with a browser, ask, and take a picture of the answer."""
    variables = {
        "OPEN_WEBUI_URL": url,
        "PICTURE": str(picture),
        "CHROMIUM": shutil.which("chromium") or "",
        **{f"WEBUI_ADMIN_{name}": value for name, value in ADMIN.items()},
    }
    program = ["node", str(ROOT / "tests/open_webui/browse.mjs")]
    subprocess.run(program, env={**os.environ, **variables}, check=True, timeout=180)


def shown_to_be_their_own(url: str, gatehouse: LiveServer) -> None:
    """Raise AssertionError unless the chat is a thread of Open WebUI's user, with what was said in it alone."""
    signing_in = {"email": ADMIN["EMAIL"], "password": ADMIN["PASSWORD"]}
    user = httpx.post(f"{url}/api/v1/auths/signin", json=signing_in, timeout=30).raise_for_status().json()
    token = gatehouse.token(user["id"], "acme")
    with httpx.Client(base_url=gatehouse.url, headers={"authorization": f"Bearer {token}"}) as client:
        [thread] = client.get("/api/threads").raise_for_status().json()["items"]
        said: Any = client.get(f"/api/threads/{thread['id']}/messages").raise_for_status().json()["items"]
    assert [message["role"] for message in said] == ["human", "ai"] * 2, said
    assert said[1]["tool_calls"][0]["tool"] == "calculator", said


if __name__ == "__main__":
    sys.exit(main())
