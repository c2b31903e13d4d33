"""How processes of the application are started: forked from one that has imported it (docs/adr/0016)."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing import forkserver, resource_tracker
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

PRELOADED = "gatehouse.cli.serving.preloaded"
DIED = 255  # what multiprocessing says of a process whose fork server died: it may well live
# A terminal or a service manager sends these to the whole group, and they are for the others of it. The fork
# server ends when the supervisor has; were it to end earlier, nobody could tell how a worker ended.
HELD_BACK = [
    signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
]


def process_context() -> "ForkServerContext | SpawnContext":
    """Return how to start a process of the application; what it runs calls `begin` first.

    On Linux it is forked. macOS's own libraries cannot be used in a forked process, Windows has none.
    """
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED])
    resource_tracker.ensure_running()  # its start lets SIGINT and SIGTERM through again
    with held_back(), safe_path():
        forkserver.ensure_running()
    return context


def begin(environment: Mapping[str, str]) -> None:
    """Give this process its environment, and the signals: what is forked has the fork server's own."""
    os.environ.clear()
    os.environ.update(environment)
    if sys.platform == "linux":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD_BACK)


@contextmanager
def held_back() -> Iterator[None]:
    """Start processes that do not hear the signals, from their first moment on: a mask is inherited."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD_BACK)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def safe_path() -> Iterator[None]:
    """Start processes that import no `app` of the folder they are in, as a `python -c` would."""
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONSAFEPATH"]
        else:
            os.environ["PYTHONSAFEPATH"] = before
