"""The management port: /metrics for Prometheus and /livez for the kubelet, apart from what users reach.

It is served by threads, so that it answers while the event loop is busy; then /livez tells that.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6, SHUT_RDWR, socket
from typing import Any

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

log = structlog.get_logger(__name__)

SECONDS = 10  # that a client has to ask, and then to read
MOST_AT_ONCE = 16  # connections; a scraper and a probe need two
ROOM_SECONDS = 1  # in which a connection that was ended gives its place to the next


class CannotListen(Exception):
    """The management port cannot be opened; the message says why."""


@contextmanager
def management_port(
    host: str, port: int | None, registry: CollectorRegistry, alive: Callable[[], bool]
) -> Iterator[int | None]:
    """Serve the registry while the context is open, and yield the port; without a port serve nothing.

    `alive` is what /livez tells. Raises CannotListen when the address is taken, or is not ours.
    """
    if port is None:
        yield None
        return
    server = listening(host, port, registry, alive)
    serving = threading.Thread(target=server.serve_forever, args=(0.2,), name="management", daemon=True)
    serving.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


def listening(
    host: str, port: int, registry: CollectorRegistry, alive: Callable[[], bool]
) -> "ManagementServer":
    """Return a server that is bound. Raises CannotListen."""
    try:
        return ManagementServer(host, port, registry, alive)
    except OSError as error:
        raise CannotListen(
            f"cannot listen on {host} port {port} ({error.strerror}): stop what uses it, or choose another "
            "with GATEHOUSE_MANAGEMENT_PORT and GATEHOUSE_MANAGEMENT_HOST"
        ) from error


class ManagementServer(ThreadingHTTPServer):
    """Answers at most 16 connections at once. One more takes the place of the oldest, which may be idle."""

    daemon_threads = True

    def __init__(self, host: str, port: int, registry: CollectorRegistry, alive: Callable[[], bool]) -> None:
        if ":" in host:
            self.address_family = AF_INET6
        self.registry = registry
        self.alive = alive
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)
        self._open: dict[socket, None] = {}  # the oldest first
        super().__init__((host, port), Answer)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self._end_oldest()
            if not self._free.acquire(timeout=ROOM_SECONDS):
                self.shutdown_request(request)
                return
        self._open[request] = None
        super().process_request(request, client_address)

    def _end_oldest(self) -> None:
        """End the connection that was opened first: its thread reads that, and gives its place back."""
        with contextlib.suppress(StopIteration, OSError):
            next(iter(self._open)).shutdown(SHUT_RDWR)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._open.pop(request, None)
            self._free.release()

    def handle_error(self, request: socket | tuple[bytes, socket], client_address: Any) -> None:  # noqa: ARG002
        log.warning("management port: a connection failed", exc_info=True)


class Answer(BaseHTTPRequestHandler):
    """One connection, one request."""

    server: ManagementServer
    timeout = SECONDS
    server_version = "gatehouse"
    sys_version = ""

    def do_GET(self) -> None:  # the base class finds it by this name
        match self.path.partition("?")[0]:
            case "/metrics":
                self._send(200, generate_latest(self.server.registry), CONTENT_TYPE_LATEST)
            case "/livez" if self.server.alive():
                self._send(200, b"ok\n")
            case "/livez":
                self._send(503, b"the event loop does not go on\n")
            case _:
                self._send(404, b"here are /metrics and /livez\n")

    def _send(self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's signature
        """Say nothing: a probe every few seconds is no news."""
