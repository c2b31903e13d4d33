"""examples/websocket_page in Chromium: a page of another origin, against Gatehouse itself."""

import contextlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from live_server import running_server
from node_tests import run_node_tests

pytestmark = pytest.mark.e2e

PAGE = Path(__file__).parents[2] / "examples" / "websocket_page"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Leave the test's output alone."""


@contextlib.contextmanager
def served_page() -> Iterator[int]:
    """Yield the port at which the page is served, as `python -m http.server` would."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=PAGE)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_the_page_works_as_it_is(tmp_path: Path) -> None:
    with (
        served_page() as port,
        served_page() as foreign,
        running_server(tmp_path, GATEHOUSE_ALLOWED_ORIGINS=f"http://localhost:{port}") as server,
    ):
        run_node_tests(
            "websocket_page.test.js",
            needs="chromium",
            GATEHOUSE_LINK=server.signin_link.replace("127.0.0.1", "localhost"),
            GATEHOUSE_PORT=str(server.port),
            PAGE_PORT=str(port),
            FOREIGN_PORT=str(foreign),
        )
        handshakes = [line for line in server.log.splitlines() if "/ws/chat/" in line]
    assert sum("401" in line for line in handshakes) >= 2, "without a session, and from another site"
    assert any("403" in line for line in handshakes), "from an origin that is not listed"
