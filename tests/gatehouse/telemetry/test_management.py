"""The management port alone: who gets it, and what it does with odd clients."""

import contextlib
import socket
from collections.abc import Iterator

import httpx
import pytest
from live_server import free_port
from prometheus_client import CollectorRegistry, Counter

from gatehouse.telemetry import management
from gatehouse.telemetry.management import CannotListen, management_port


@contextlib.contextmanager
def listening(alive: bool = True, host: str = "127.0.0.1") -> Iterator[str]:
    registry = CollectorRegistry()
    Counter("asked", "How often.", registry=registry).inc(3)
    with management_port(host, 0, registry, lambda: alive) as port:
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"


def test_shows_the_registry() -> None:
    with listening() as url:
        assert "asked_total 3.0" in httpx.get(f"{url}/metrics?name[]=asked").text


def test_says_that_the_loop_is_stuck() -> None:
    with listening(alive=False) as url:
        assert httpx.get(f"{url}/livez").status_code == 503


def test_listens_on_ipv6() -> None:
    with listening(host="::1") as url:
        assert httpx.get(f"{url}/livez").status_code == 200


def test_is_gone_in_the_end() -> None:
    with listening() as url:
        pass
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/livez")


def test_without_a_port_there_is_none() -> None:
    with management_port("127.0.0.1", None, CollectorRegistry(), lambda: True) as port:
        assert port is None


class TestCannotListen:
    def test_on_a_port_that_is_taken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            with (
                pytest.raises(CannotListen, match=f"127.0.0.1 port {port} .*GATEHOUSE_MANAGEMENT_PORT"),
                management_port("127.0.0.1", port, CollectorRegistry(), lambda: True),
            ):
                pass

    def test_on_an_address_that_is_not_ours(self) -> None:
        with (
            pytest.raises(CannotListen, match="GATEHOUSE_MANAGEMENT_HOST"),
            management_port("192.0.2.1", free_port(), CollectorRegistry(), lambda: True),
        ):
            pass


class TestOddClients:
    def test_that_say_nothing_are_let_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(management.Answer, "timeout", 0.1)
        with listening() as url, socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) as idle:
            idle.settimeout(5)
            assert idle.recv(1) == b""

    def test_that_are_many_and_say_nothing_keep_nobody_out(self) -> None:
        with listening() as url, contextlib.ExitStack() as stack:
            address = ("127.0.0.1", int(url.rpartition(":")[2]))
            idle = [
                stack.enter_context(socket.create_connection(address))
                for _ in range(3 * management.MOST_AT_ONCE)
            ]
            assert [httpx.get(f"{url}/livez", timeout=5).status_code for _ in range(5)] == [200] * 5
            idle[0].settimeout(5)
            assert idle[0].recv(1) == b""  # the oldest made room
