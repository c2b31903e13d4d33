"""Where a server listens, which limits its connections have, and where its log goes.

What starts workers needs that much: nothing here imports what is served.
"""

import logging
import socket
import sys
from typing import Any

from gatehouse.process.endings import StartFailed
from gatehouse.process.protocol import BoundedHead
from gatehouse.process.websocket_protocol import BoundedWebSocket
from gatehouse.settings import Settings
from gatehouse.telemetry.logs import configure_logging

KEEP_ALIVE = 65  # seconds; longer than a proxy keeps an idle connection, so that the proxy closes it first
# bytes that the system may hold for a client that does not read; Linux takes twice as much, for its own
# records, and without this up to 4 MB, which count as the container's memory
SEND_BUFFER = 131_072
MAX_FRAME = 66_560  # bytes; the application answers what is over its own limit of 65,536, uvicorn hangs up


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to the address. Raises StartFailed when it is taken or not ours.

    It is bound before anything is opened, so that a taken port is told at once.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)  # of each connection
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise cannot_listen(host, port, error) from None
    return listener


def cannot_listen(host: str, port: int, error: OSError) -> StartFailed:
    return StartFailed(
        f"cannot listen on {host} port {port} ({error.strerror}): stop what uses it, or choose another "
        "with --host and --port (GATEHOUSE_HOST, PORT)"
    )


def options(settings: Settings) -> dict[str, Any]:
    """Return the options of uvicorn's Config."""
    return {
        "lifespan": "on",
        "log_config": None,  # configure_logging did that
        "access_log": False,  # RequestContext logs requests
        "server_header": False,
        "proxy_headers": True,
        "forwarded_allow_ips": settings.trusted_proxies,
        "timeout_keep_alive": KEEP_ALIVE,
        "timeout_graceful_shutdown": 1,  # by then DrainingServer has let the streams end
        "http": BoundedHead,
        "ws": BoundedWebSocket,
        "ws_max_size": MAX_FRAME,
        # a frame is a token: to compress it costs more than to send it, and each socket would keep a window
        "ws_per_message_deflate": False,
    }


def configure_server_logging(settings: Settings) -> None:
    """Log as the settings say: for people where people look, else as JSON."""
    configure_logging(settings.log_level, pretty=settings.development and sys.stderr.isatty())
    # what it says at info is in our own words, or goes without saying
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
