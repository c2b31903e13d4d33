"""Runs the application in several processes, with uvicorn's supervisor, which itself imports none of it."""

import contextlib
import gc
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from gatehouse.process.endings import StartFailed
from gatehouse.process.fork_server import DIED, begin, process_context
from gatehouse.process.listening import configure_server_logging, options
from gatehouse.settings import Settings
from gatehouse.storage.valkey import CannotRun, running_valkey
from gatehouse.telemetry.management import CannotListen
from gatehouse.telemetry.workers import metrics_added_up

log = structlog.get_logger(__name__)

START_SECONDS = 120  # within which all workers must serve
SIGNAL_POLL = 0.1  # seconds: /readyz of the workers is red as soon as they hear of a signal
LOOK_AFTER = 5  # polls between two looks at whether the workers live


def run_many(settings: Settings, workers: int, listener: socket.socket, announce: Callable[[], None]) -> None:
    """Serve in several processes until a signal ends them; `announce` is called when all serve.

    Raises StartFailed when one could not start, and says so in its log, or was killed.
    """
    configure_server_logging(settings)
    os.environ["GATEHOUSE_REGISTRY"] = settings.registry
    if settings.start_link is not None:
        os.environ["GATEHOUSE_START_LINK"] = settings.start_link.get_secret_value()
    config = uvicorn.Config(
        "gatehouse.process.worker:application", factory=True, workers=workers, **options(settings)
    )
    supervisor = Workers(config, listener, announce)
    try:
        with shared_valkey(settings), shared_model(settings), metrics_added_up(settings):
            supervisor.run()
    except CannotListen as error:
        raise StartFailed(f"management port: {error}") from error
    if supervisor.failed:
        raise StartFailed("a worker could not start, or was ended before its streams were: see above")


@contextmanager
def shared_valkey(settings: Settings) -> Iterator[None]:
    """Run the data folder's Valkey where no Redis is configured. Raises StartFailed.

    The workers find it there. It outlives each of them; one of them takes it over if this process is killed.
    """
    if settings.redis_url is not None:
        yield
        return
    try:
        with running_valkey(settings.data_dir):
            yield
    except CannotRun as error:
        raise StartFailed(f"Redis: {error}") from error


@contextmanager
def shared_model(settings: Settings) -> Iterator[None]:
    """Run the embedded model once for all workers, where it is what answers. Raises StartFailed."""
    if not settings.chat_model.embedded:
        yield
        return
    from gatehouse.models.embedded.shared import CannotStart, shared_llama_server  # noqa: PLC0415 - 20 MB of native code

    try:
        with shared_llama_server():
            yield
    except CannotStart as error:
        raise StartFailed(f"chat model: {error}") from error


class Worker(Process):
    """A worker's process as the supervisor sees it, with a server that a signal ends in stages."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        work = process_context().Process(target=self.work, args=(sockets, dict(os.environ)))
        self.process = work  # type: ignore[assignment]  # uvicorn's would import everything anew
        self._has_answered = False
        self._starts_until = time.monotonic() + START_SECONDS

    def is_alive(self, timeout: float = 5) -> bool:
        """Tell whether it answers within so many seconds; one that is starting need not yet.

        It answers when it has imported the application, which takes longer than that where CPU is scarce: it
        would be killed and started again without end.
        """
        if self._has_answered or time.monotonic() > self._starts_until:
            return super().is_alive(timeout)
        self._has_answered = self.ping(0)
        return self.process.is_alive()

    def kill(self) -> None:
        if self.process.exitcode == DIED and self.pid is not None:  # it may live, and its streams with it
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)
        super().kill()

    def work(self, sockets: list[socket.socket], environment: dict[str, str]) -> None:
        """Serve in the process of the worker, until a signal or the supervisor's death ends it."""
        with contextlib.suppress(KeyboardInterrupt):  # before it serves: uvicorn is quiet about that, too
            begin(environment)
            threading.Thread(target=end_with_supervisor, daemon=True).start()
            self._server = draining_server(self.config)
            self.target(sockets)


def draining_server(config: uvicorn.Config) -> uvicorn.Server:
    """Return the server of a worker. What is served is imported here first, and its faults are logged."""
    configure_server_logging(Settings())
    try:
        from gatehouse.process.worker import DrainingServer  # noqa: PLC0415  # the supervisor does without
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        at = f"{place.filename}:{place.lineno}"
        log.error("cannot start", reason=f"{type(error).__name__}: {error}", at=at)  # noqa: TRY400  # one line
        sys.exit(STARTUP_FAILURE)  # else it would be started again and again
    return DrainingServer(config)


def end_with_supervisor() -> None:
    """End this process politely when the supervisor was killed: nobody else would, and it has the port."""
    if (supervisor := multiprocessing.parent_process()) is not None:
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)


class Workers(Multiprocess):
    """Processes that serve on one socket. The first signal drains them, the second ends them at once.

    A worker that died is replaced; all but uvicorn's own server in it is uvicorn's.
    """

    def __init__(self, config: uvicorn.Config, listener: socket.socket, announce: Callable[[], None]) -> None:
        super().__init__(config, [listener])
        self._announce = announce

    @property
    def failed(self) -> bool:
        """Whether a worker could not start, or had to be killed."""
        return any(process.exitcode in (STARTUP_FAILURE, -signal.SIGKILL) for process in self.processes)

    def run(self) -> None:
        self.init_processes()
        looks = 0
        while not self.should_exit.wait(SIGNAL_POLL):
            self.handle_signals()
            looks += 1
            if looks % LOOK_AFTER == 0:
                self.keep_subprocess_alive()
        self.terminate_all()
        self.join_all()

    def init_processes(self) -> None:
        gc.enable()  # gatehouse.process.garbage
        self.processes = [self._started() for _ in range(self.processes_num)]
        if all(process.wait_until_ready(START_SECONDS, self.should_exit) for process in self.processes):
            self._announce()

    def keep_subprocess_alive(self) -> None:
        for index, process in enumerate(self.processes):
            if self.should_exit.is_set() or process.is_alive(timeout=self.config.timeout_worker_healthcheck):
                continue
            process.kill()  # it may hang
            process.join()
            if process.exitcode == STARTUP_FAILURE:  # the next one would fail in the same way
                self.should_exit.set()
                return
            log.warning("worker died", exit_code=process.exitcode)
            self.processes[index] = self._started()

    def restart_all(self) -> None:
        """SIGHUP: replace the workers, one after the other, each when its successor serves."""
        for index, old in enumerate(self.processes):
            new = self._started()
            if not new.wait_until_ready(START_SECONDS, self.should_exit):
                new.kill()
                new.join()
                log.error("new worker does not start", kept=old.pid)
                return
            old.terminate()
            old.join()
            self.processes[index] = new

    def handle_ttin(self) -> None:
        self.processes_num += 1
        self.processes.append(self._started())

    def join_all(self) -> None:
        while any(process.process.is_alive() for process in self.processes):
            if self.signal_queue:
                for process in self.processes:
                    process.kill()
            time.sleep(0.1)
        super().join_all()

    def _started(self) -> Worker:
        worker = Worker(self.config, self.sockets)
        worker.start()
        return worker
