"""The recipe of docs/clients.md in Chromium: an EventSource of a page that another port serves."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from cut_streams import cutting_proxy
from live_server import LiveServer, free_port, running_server
from node_tests import run_node_tests

pytestmark = pytest.mark.e2e

DOCUMENT = Path(__file__).parents[2] / "docs" / "clients.md"
PAGE = """<!doctype html><link rel="icon" href="data:,"><output></output><script type="module">
import { follow } from "./follow.js";
const output = document.querySelector("output");
window.ask = (question) => follow(question, (text) => (output.textContent = text));
</script>"""


def recipe(gatehouse: str) -> str:
    found = re.search(r"```js\n(// follow\.js\n.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found
    return found[1].replace("http://localhost:8000", gatehouse)


@contextmanager
def page_server(port: int, server: LiveServer, gatehouse: str) -> Iterator[None]:
    """Serve the page, and the tickets that its server asks for with the key that it keeps."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script = self.path == "/follow.js"
            self.answer(recipe(gatehouse) if script else PAGE, "text/javascript" if script else "text/html")

        def do_POST(self) -> None:
            asked = httpx.post(
                f"{server.url}/api/tickets",
                json={"route": "/api/chat/stream"},
                headers={"x-api-key": server.keys["alice"]},
            )
            self.answer(asked.text, "application/json")

        def answer(self, text: str, kind: str) -> None:
            self.send_response(200)
            self.send_header("content-type", kind)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """Leave the test's output alone."""

    with ThreadingHTTPServer(("127.0.0.1", port), Site) as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        try:
            yield
        finally:
            site.shutdown()
            thread.join()


def test_the_recipe_works_from_another_port(tmp_path: Path) -> None:
    listed, foreign = free_port(), free_port()
    origin = f"http://localhost:{listed}"
    with (
        running_server(tmp_path, GATEHOUSE_ALLOWED_ORIGINS=origin) as server,
        cutting_proxy(server.port, cuts=2) as proxy,
        page_server(listed, server, proxy.url),
        page_server(foreign, server, server.url),
    ):
        run_node_tests(
            "event_source_page.test.js",
            needs="chromium",
            LISTED=origin,
            FOREIGN=f"http://localhost:{foreign}",
        )
        assert proxy.made == 2
