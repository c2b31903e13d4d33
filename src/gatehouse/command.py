"""The `gatehouse` command, from its first moment on."""

import gc
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line of this process and exit.

    A server that is told to end while it is still importing ends at once, with 0. The first process of a
    container gets no signal that it does not ask for: it would start, and live on until it is killed.
    """
    gc.disable()  # imports make what stays: looking for garbage in it is a tenth of a start
    if "serve" in sys.argv[1:]:
        signal.signal(signal.SIGTERM, leave)
    from gatehouse.cli import main as run  # noqa: PLC0415  # half a second, in which a signal may come

    run()


def leave(_number: int, _frame: FrameType | None) -> None:
    """End a start."""
    raise SystemExit(0)
