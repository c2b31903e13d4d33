"""A terminal of any size with a program in it, and what a person sees there."""

import codecs
import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pyte
from gatehouse_processes import ForkedProcess, work_of

WAIT_SECONDS = 30
CTRL_C = "\x03"
CTRL_D = "\x04"


class Screen(pyte.HistoryScreen):
    """A screen that answers the program's questions, as where the cursor is."""

    def __init__(self, columns: int, rows: int, keyboard: int) -> None:
        super().__init__(columns, rows, history=10_000, ratio=0.5)
        self.keyboard = keyboard

    def write_process_input(self, data: str) -> None:
        os.write(self.keyboard, data.encode())

    def text(self) -> str:
        """Return all lines, those that have scrolled away too."""
        rows = [*self.history.top, *(self.buffer[row] for row in range(self.lines))]
        lines = ("".join(row[column].data for column in range(self.columns)) for row in rows)
        return "\n".join(line.rstrip() for line in lines).rstrip()


class Terminal:
    """`seen` is what stands on the screen and above it."""

    def __init__(self, process: ForkedProcess, line: int, columns: int, rows: int) -> None:
        self.process = process
        self.raw = b""
        self._line = line
        self._screen = Screen(columns, rows, line)
        self._stream = pyte.Stream(self._screen)
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    @property
    def seen(self) -> str:
        return self._screen.text()

    def press(self, keys: str) -> None:
        os.write(self._line, keys.encode())

    def wait_for(self, text: str) -> str:
        """Return what is seen when `text` is in it; fail when it does not come."""
        until = time.monotonic() + WAIT_SECONDS
        while text not in self.seen:
            assert time.monotonic() < until, f"{text!r} was not seen:\n{self.seen}"
            assert self._take(0.2) or text in self.seen, f"it ended without {text!r}:\n{self.seen}"
        return self.seen

    def wait_for_prompt(self) -> None:
        """Return when a question can be typed: keys that come before are not all kept."""
        until = time.monotonic() + WAIT_SECONDS
        while self.seen.rpartition("\n")[2] != ">":
            assert time.monotonic() < until, f"no prompt was seen:\n{self.seen}"
            assert self._take(0.2), f"it ended without a prompt:\n{self.seen}"

    def exit_code(self) -> int:
        """Return the exit code, when the program has ended and all it wrote is seen."""
        until = time.monotonic() + WAIT_SECONDS
        while self._take(0.2):
            assert time.monotonic() < until, f"it goes on:\n{self.seen}"
        return self.process.wait(WAIT_SECONDS)

    def _take(self, seconds: float) -> bool:
        """Show what the program writes within this time; False when it has ended."""
        ready, _, _ = select.select([self._line], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._line, 65536)
        except OSError:  # so Linux says that nobody has the other side open
            data = b""
        self.raw += data
        self._stream.feed(self._decode(data))
        return bool(data)


@contextmanager
def terminal(
    command: Sequence[str], environment: Mapping[str, str], folder: Path, columns: int = 80, rows: int = 24
) -> Iterator[Terminal]:
    """Yield a terminal in which `command` runs; end it afterwards."""
    line, other = pty.openpty()
    fcntl.ioctl(other, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    nowhere = Path(os.devnull)
    work = partial(in_terminal, os.ttyname(other), work_of(command))
    process = ForkedProcess(work, {**environment, "TERM": "xterm-256color"}, folder, nowhere, nowhere)
    until = time.monotonic() + WAIT_SECONDS
    while os.tcgetpgrp(line) != process.pid:  # it has not taken the terminal, which nobody would have else
        assert time.monotonic() < until
        time.sleep(0.005)
    os.close(other)
    try:
        yield Terminal(process, line, columns, rows)
    finally:
        process.kill()
        process.wait(WAIT_SECONDS)
        os.close(line)


def in_terminal(name: str, work: Callable[[], None]) -> None:
    """Do the work as the leader of a session whose terminal this is: else Ctrl-C would reach nobody."""
    os.setsid()
    file = os.open(name, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(file, stream)
    os.close(file)
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout, sys.stderr = (os.fdopen(stream, "w", buffering=1, closefd=False) for stream in (1, 2))
    work()
