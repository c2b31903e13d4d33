"""How a server starts and ends, in this process."""

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy.exc import ArgumentError
from starlette.types import Receive, Scope, Send

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.models.opening import ModelUnavailable
from gatehouse.problems.draining import Drain
from gatehouse.process.endings import StartFailed
from gatehouse.process.listening import listen, options
from gatehouse.process.server import OneWorker
from gatehouse.process.startup import Contained, reason
from gatehouse.registry.checked import BadRegistry
from gatehouse.services import Services
from gatehouse.settings import Settings
from gatehouse.storage.opening import CannotStart
from gatehouse.storage.schema import NoMigrations


class Runs:
    """What a server asks of its runs: `local` is how many go on here. Handed over, they are gone."""

    def __init__(self) -> None:
        self.drain = Drain()
        self.local: list[str] = []
        self.handed_over = asyncio.Event()

    async def hand_over(self) -> None:
        self.drain.refuse()
        self.local.clear()
        self.handed_over.set()


class Application:
    """Starts as it is told; answers `/` at once and `/long` when it may go on."""

    def __init__(self, failure: Exception | None = None, at_stop: Exception | None = None) -> None:
        self.runs = Runs()
        self.settings = Settings(_env_file=None)
        self.failure = failure
        self.at_stop = at_stop
        self.busy = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.stopped = False
        self.opening = asyncio.Event()
        self.opens = asyncio.Event()
        self.opens.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.live(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/long":
            self.busy.set()
            await send({"type": "http.response.body", "body": b"begun", "more_body": True})
            await self.goes_on.wait()
        await send({"type": "http.response.body"})

    async def live(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As Starlette does it: the message is a traceback, and the exception goes on."""
        await receive()
        self.opening.set()
        await self.opens.wait()
        if self.failure:
            await send({"type": "lifespan.startup.failed", "message": "Traceback: …"})
            raise self.failure
        scope["state"]["services"] = SimpleNamespace(runs=self.runs, settings=self.settings)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.stopped = True
        if self.at_stop:
            await send({"type": "lifespan.shutdown.failed", "message": "Traceback: …"})
            raise self.at_stop
        await send({"type": "lifespan.shutdown.complete"})


async def until(true: Callable[[], Any]) -> None:
    """Return when it is true; fail when it never is."""
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


class Served:
    """A server over an Application."""

    def __init__(
        self,
        application: Application,
        listener: socket.socket,
        drain_seconds: float = 30,
        drain_delay: float = 0,
    ) -> None:
        self.announced: list[Services] = []
        self.application = application
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.listener = listener
        contained = Contained(application)
        settings = Settings(_env_file=None, drain_seconds=drain_seconds, drain_delay=drain_delay)
        application.settings = settings
        config = uvicorn.Config(contained, **options(settings))
        self.server = OneWorker(config, contained, listener, self.announce)

    async def announce(self, services: Services) -> None:
        self.announced.append(services)

    def signal(self) -> None:
        self.server.handle_exit(15, None)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["asyncio.Task[None]"]:
        task = asyncio.create_task(self.server.serve([self.listener]))
        await until(lambda: self.announced or task.done() or not self.application.opens.is_set())
        try:
            yield task
        finally:
            self.server.should_exit = True
            task.cancel()
            await asyncio.wait([task])


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listen("127.0.0.1", 0) as listener:
        yield listener


class TestOptions:
    def test_only_trusted_proxies_say_who_the_client_is(self) -> None:
        settings = Settings(_env_file=None, trusted_proxies="10.0.0.1,10.0.0.2")
        config = uvicorn.Config("app", **options(settings))
        assert (config.proxy_headers, config.forwarded_allow_ips) == (True, "10.0.0.1,10.0.0.2")

    def test_the_server_does_not_say_what_it_is(self) -> None:
        assert uvicorn.Config("app", **options(Settings(_env_file=None))).server_header is False

    def test_frames_of_websockets_are_not_compressed(self) -> None:
        assert uvicorn.Config("app", **options(Settings(_env_file=None))).ws_per_message_deflate is False


class TestListen:
    def test_port_0_is_a_free_one(self, listener: socket.socket) -> None:
        assert listener.getsockname()[1] > 0

    def test_ipv6(self) -> None:
        with listen("::1", 0) as listener:
            assert listener.family is socket.AF_INET6

    def test_a_port_in_use_is_told_with_what_to_do(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            with pytest.raises(StartFailed, match=rf"port {port} \(Address already in use\).* --port"):
                listen("127.0.0.1", port)

    @pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
    def test_so_is_an_address_that_is_not_ours(self, host: str) -> None:
        with pytest.raises(StartFailed, match=rf"cannot listen on {host} port 0 .*\(GATEHOUSE_HOST, PORT\)"):
            listen(host, 0)


class TestReason:
    @pytest.mark.parametrize(
        ("error", "line"),
        [
            (CannotStart("database: its schema is old"), "database: its schema is old"),
            (BadRegistry("/chat: twice"), "registry: /chat: twice"),
            (NoMigrations("GATEHOUSE_MIGRATIONS: no"), "database: GATEHOUSE_MIGRATIONS: no"),
            (ModelUnavailable("run\n  pip install"), "chat model: run pip install"),
            (BadConfiguration("GATEHOUSE_JWT_SECRET …"), "authentication: GATEHOUSE_JWT_SECRET …"),
            (ArgumentError("hunter2"), "database: GATEHOUSE_DATABASE_URL cannot be used (ArgumentError)"),
            (RuntimeError("at x://user:hunter2@db"), "RuntimeError: at x://[redacted]@db"),
        ],
    )
    def test_is_one_line_that_names_the_part(self, error: Exception, line: str) -> None:
        assert reason(error) == line


class TestStart:
    async def test_announces_when_it_serves(self, listener: socket.socket) -> None:
        served = Served(Application(), listener)
        async with served.serving(), httpx.AsyncClient() as client:
            assert len(served.announced) == 1
            assert (await client.get(served.url)).status_code == 200

    async def test_that_fails_is_told_in_one_line_and_logs_nothing(
        self, listener: socket.socket, caplog: pytest.LogCaptureFixture
    ) -> None:
        served = Served(Application(CannotStart("Redis: gone")), listener)
        with pytest.raises(StartFailed, match="Redis: gone"):
            await served.server.serve([listener])
        assert served.announced == []
        assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []

    async def test_on_a_port_that_was_taken_meanwhile_closes_what_was_opened(
        self, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def create_server(*_arguments: Any, **_options: Any) -> None:
            raise OSError(errno.EADDRINUSE, "Address already in use")

        application = Application()
        served = Served(application, listener)
        monkeypatch.setattr(asyncio.get_running_loop(), "create_server", create_server)
        with pytest.raises(StartFailed, match="Address already in use"):
            await served.server.serve([listener])
        assert application.stopped


class TestStop:
    async def test_first_signal_waits_for_streams(self, listener: socket.socket) -> None:
        application = Application()
        served = Served(application, listener)
        async with served.serving() as task, httpx.AsyncClient() as client:
            stream = asyncio.create_task(client.get(f"{served.url}/long"))
            await application.busy.wait()
            served.signal()
            await until(lambda: application.runs.drain.refusing)
            assert (await client.get(served.url)).status_code == 200  # it listens as long as one goes on
            assert not task.done()
            application.goes_on.set()
            assert (await stream).text == "begun"
            await task
        assert application.stopped

    async def test_goes_on_serving_until_proxies_have_noticed(self, listener: socket.socket) -> None:
        application = Application()
        served = Served(application, listener, drain_delay=1)
        async with served.serving() as task, httpx.AsyncClient() as client:
            served.signal()
            assert application.runs.drain.leaving
            await asyncio.sleep(0.3)
            assert not application.runs.drain.refusing
            assert (await client.get(served.url)).status_code == 200
            await task
        assert application.runs.drain.refusing
        assert not application.runs.handed_over.is_set()

    async def test_listens_while_it_drains(self, listener: socket.socket) -> None:
        application = Application()
        served = Served(application, listener)
        application.runs.local.append("a run")
        async with served.serving() as task, httpx.AsyncClient() as client:
            served.signal()
            await until(lambda: application.runs.drain.refusing)
            assert (await client.get(served.url)).status_code == 200
            assert not task.done()
            application.runs.local.clear()
            await task
        assert not application.runs.handed_over.is_set()

    async def test_a_connection_without_a_request_does_not_hold_it_up(self, listener: socket.socket) -> None:
        served = Served(Application(), listener)
        async with served.serving() as task, httpx.AsyncClient() as client:
            await client.get(served.url)  # and keeps the connection
            _, idle = await asyncio.open_connection(*listener.getsockname()[:2])
            served.signal()
            async with asyncio.timeout(5):
                await task
            idle.close()

    async def test_hands_over_what_has_not_ended_in_time(self, listener: socket.socket) -> None:
        application = Application()
        served = Served(application, listener, drain_seconds=0.3)
        application.runs.local.append("a run")
        async with served.serving() as task:
            served.signal()
            await task
        assert application.runs.handed_over.is_set()
        assert application.stopped

    async def test_then_waits_for_the_last_words_of_streams(
        self, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.process.server.LAST_WORDS_SECONDS", 30)
        application = Application()
        served = Served(application, listener, drain_seconds=0.1)
        async with served.serving() as task, httpx.AsyncClient() as client:
            stream = asyncio.create_task(client.get(f"{served.url}/long"))
            await application.busy.wait()
            served.signal()
            await application.runs.handed_over.wait()
            assert (await client.get(served.url)).status_code == 200
            application.goes_on.set()
            assert (await stream).text == "begun"
            await task

    async def test_a_signal_before_it_serves_ends_it_at_once(self, listener: socket.socket) -> None:
        application = Application()
        served = Served(application, listener)
        application.opens.clear()
        async with served.serving() as task:
            await application.opening.wait()
            served.signal()
            with pytest.raises(asyncio.CancelledError):
                async with asyncio.timeout(5):
                    await task
        assert not served.server.started

    async def test_after_the_drain_streams_are_cut_off_without_a_traceback(
        self, listener: socket.socket, caplog: pytest.LogCaptureFixture
    ) -> None:
        application = Application()
        served = Served(application, listener, drain_seconds=1)
        async with served.serving() as task, httpx.AsyncClient(timeout=20) as client:
            stream = asyncio.create_task(client.get(f"{served.url}/long"))
            await application.busy.wait()
            served.signal()
            await task
            with pytest.raises(httpx.RemoteProtocolError):
                await stream
        assert application.stopped
        assert [record for record in caplog.records if record.exc_info] == []

    async def test_second_signal_does_not_wait(self, listener: socket.socket) -> None:
        application = Application()
        served = Served(application, listener)
        async with served.serving() as task, httpx.AsyncClient() as client:
            stream = asyncio.create_task(client.get(f"{served.url}/long"))
            await application.busy.wait()
            served.signal()
            await asyncio.sleep(0.2)
            served.signal()
            with pytest.raises(asyncio.CancelledError):
                async with asyncio.timeout(2):
                    await task
            stream.cancel()

    async def test_that_fails_is_logged_in_one_line(
        self, listener: socket.socket, caplog: pytest.LogCaptureFixture
    ) -> None:
        served = Served(Application(at_stop=RuntimeError("x://user:hunter2@db")), listener)
        async with served.serving() as task:
            served.signal()
            await task
        errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert errors[0] == "RuntimeError: x://[redacted]@db"
        assert [record for record in caplog.records if record.exc_info] == []
