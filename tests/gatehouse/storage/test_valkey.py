"""The Valkey of a data folder: real processes, real signals."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from gatehouse.settings import Settings
from gatehouse.storage import valkey
from gatehouse.storage.opening import CannotStart, open_redis
from gatehouse.storage.valkey import CannotRun, begun_valkey, running_valkey

# it holds a Valkey until it is killed
HOLDER = """
import sys, time
from pathlib import Path
from gatehouse.storage.valkey import running_valkey
with running_valkey(Path(sys.argv[1])) as url:
    print(url, flush=True)
    time.sleep(600)
"""
SECONDS = 20


def until(true: Callable[[], Any]) -> None:
    """Return when it is true; fail when it is not in time."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, "this did not come true in time"
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def pid_of(client: Redis) -> int:
    return int(client.info("server")["process_id"])


def incremental_file(data_dir: Path) -> Path:
    """Return the file that commands are appended to."""
    [path] = (data_dir / "valkey" / "appendonlydir").glob("*.incr.aof")
    return path


def is_back(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


def refusal(data_dir: Path) -> str:
    with pytest.raises(CannotRun) as refused, running_valkey(data_dir):
        pass
    return str(refused.value)


def keep(data_dir: Path, name: str) -> None:
    with running_valkey(data_dir) as url, Redis.from_url(url) as client:
        client.set(name, "kept")


def is_kept(data_dir: Path, name: str) -> bool:
    with running_valkey(data_dir) as url, Redis.from_url(url) as client:
        return bool(client.get(name) == b"kept")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Redis]:
    """A client of the Valkey of the test's folder."""
    with running_valkey(tmp_path) as url, Redis.from_url(url) as client:
        yield client


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", Redis]]:
    """A process that runs the folder's Valkey, and a client of that."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    with holder, Redis.from_url(holder.stdout.readline().strip()) as client:
        yield holder, client
        holder.kill()


class TestValkey:
    def test_finds_its_data_again(self, tmp_path: Path) -> None:
        keep(tmp_path, "name")
        assert is_kept(tmp_path, "name")

    def test_is_nobody_else_s_in_a_folder_that_others_could_read(self, tmp_path: Path) -> None:
        folder = tmp_path / "valkey"
        folder.mkdir(mode=0o755)
        keep(tmp_path, "name")
        assert folder.stat().st_mode & 0o777 == 0o700

    def test_is_nobody_else_s(self, tmp_path: Path, client: Redis) -> None:
        folder = tmp_path / "valkey"
        assert [path.stat().st_mode & 0o777 for path in (folder, folder / "valkey.sock")] == [0o700, 0o700]
        assert client.config_get("port") == {"port": "0"}
        sockets = {str(path.readlink()) for path in Path(f"/proc/{pid_of(client)}/fd").iterdir()}
        for table in ("tcp", "tcp6"):
            lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            assert not sockets & {f"socket:[{line.split()[9]}]" for line in lines}

    def test_forgets_nothing_of_its_own_accord(self, client: Redis) -> None:
        found = client.config_get("maxmemory-policy", "appendonly", "appendfsync")
        assert found == {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "everysec"}

    def test_of_a_deep_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        short, deep = tmp_path / "t", tmp_path / "/".join(["deep"] * 40)
        short.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(short))
        keep(deep, "name")
        assert is_kept(deep, "name")
        assert (deep / "valkey" / "appendonlydir").is_dir()
        assert list(short.iterdir()) == []

    def test_is_reached_by_a_url_whatever_the_folder_s_name(self, tmp_path: Path) -> None:
        keep(tmp_path / "a b%20?#é", "name")
        assert is_kept(tmp_path / "a b%20?#é", "name")

    def test_does_not_hear_what_ends_the_server(self, client: Redis) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            os.kill(pid_of(client), number)
        assert client.ping()

    def test_ends_with_the_one_that_runs_it(self, tmp_path: Path) -> None:
        with running_valkey(tmp_path) as url, Redis.from_url(url) as client:
            pid = pid_of(client)
        assert not lives(pid)

    def test_ends_with_a_parent_that_was_killed(
        self, tmp_path: Path, held: tuple["subprocess.Popen[str]", Redis]
    ) -> None:
        holder, client = held
        client.set("name", "kept")
        pid = pid_of(client)
        holder.kill()
        until(lambda: not lives(pid))
        assert (tmp_path / "valkey" / "valkey.sock").is_socket()  # nobody took it away
        assert is_kept(tmp_path, "name")

    def test_that_died_is_started_again(self, client: Redis) -> None:
        client.set("name", "kept")
        with capture_logs() as logs:
            os.kill(pid_of(client), signal.SIGKILL)
            until(lambda: is_back(client))
        assert client.get("name") == b"kept"
        assert [(entry["log_level"], entry["exit_code"]) for entry in logs] == [("warning", -signal.SIGKILL)]


class TestSecondServer:
    def test_shares_the_valkey_of_the_first(self, tmp_path: Path, client: Redis) -> None:
        with running_valkey(tmp_path) as url, Redis.from_url(url) as other:
            assert pid_of(other) == pid_of(client)
        assert client.ping()

    def test_goes_on_alone(self, tmp_path: Path) -> None:
        with ExitStack() as second, ExitStack() as first:
            first.enter_context(running_valkey(tmp_path))
            url = second.enter_context(running_valkey(tmp_path))
            client = second.enter_context(Redis.from_url(url))
            client.set("name", "kept")
            first.close()
            until(lambda: is_back(client))
            assert client.get("name") == b"kept"

    def test_goes_on_when_the_first_was_killed(
        self, tmp_path: Path, held: tuple["subprocess.Popen[str]", Redis]
    ) -> None:
        holder, client = held
        client.set("name", "kept")
        with running_valkey(tmp_path) as url, Redis.from_url(url) as other:
            holder.kill()
            holder.wait()
            until(lambda: is_back(other))
            assert other.get("name") == b"kept"

    def test_of_many_at_once_one_runs_it(self, tmp_path: Path) -> None:
        pids: list[int] = []
        together = threading.Barrier(5)

        def look() -> None:
            with running_valkey(tmp_path) as url, Redis.from_url(url) as client:
                pids.append(pid_of(client))
                together.wait(SECONDS)

        threads = [threading.Thread(target=look) for _ in range(together.parties)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(pids), len(set(pids))) == (5, 1)


class TestBegun:
    def test_is_found_there_and_ends_with_whoever_began_it(self, tmp_path: Path) -> None:
        with begun_valkey(tmp_path / "data"):
            with running_valkey(tmp_path / "data") as url, Redis.from_url(url) as client:
                pid = pid_of(client)
            assert lives(pid)
        assert not lives(pid)
        assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700

    def test_that_is_left_before_it_answers_leaves_the_folder_to_others(self, tmp_path: Path) -> None:
        with begun_valkey(tmp_path):
            pass
        keep(tmp_path, "name")
        assert is_kept(tmp_path, "name")

    def test_where_there_is_no_wheel_is_told_by_who_needs_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(valkey, "find_spec", lambda _name: None)
        with begun_valkey(tmp_path):
            assert refusal(tmp_path).startswith("there is no Valkey for this server to start")


class TestRefusal:
    def test_of_a_file_that_is_corrupt(self, tmp_path: Path) -> None:
        keep(tmp_path, "name")
        incremental_file(tmp_path).write_bytes(b"*3\r\nnonsense\r\n" * 100)
        told = refusal(tmp_path)
        assert told.startswith(
            f"Valkey cannot start in {tmp_path / 'valkey'} (Bad file format reading the append"
        )
        assert "move the folder away" in told
        assert "GATEHOUSE_REDIS_URL" in told
        assert "\n" not in told

    def test_not_of_a_file_that_was_cut_off(self, tmp_path: Path) -> None:
        keep(tmp_path, "name")
        with incremental_file(tmp_path).open("ab") as file:
            file.write(b"*3\r\n$3\r\nSET\r\n$5\r\nother\r\n$1000\r\nbegun")
        assert is_kept(tmp_path, "name")

    def test_where_there_is_no_wheel(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(valkey, "find_spec", lambda _name: None)
        told = refusal(tmp_path)
        assert told.startswith("there is no Valkey for this server to start")
        assert "set GATEHOUSE_REDIS_URL" in told

    async def test_names_the_part(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(valkey, "find_spec", lambda _name: None)
        with pytest.raises(CannotStart, match="^Redis: there is no Valkey"):
            async with open_redis(Settings(_env_file=None, data_dir=tmp_path)):
                pass

    def test_of_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "valkey").touch()
        assert "GATEHOUSE_DATA_DIR" in refusal(tmp_path)

    def test_of_one_that_does_not_answer(
        self, tmp_path: Path, client: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(valkey, "START_SECONDS", 0.5)
        pid = pid_of(client)
        os.kill(pid, signal.SIGSTOP)
        try:
            assert "does not answer within 0.5 s" in refusal(tmp_path)
        finally:
            os.kill(pid, signal.SIGCONT)


async def test_is_what_is_opened_where_no_redis_is_configured(tmp_path: Path) -> None:
    async with open_redis(Settings(_env_file=None, data_dir=tmp_path)) as redis:
        assert await redis.ping()
        assert (tmp_path / "valkey" / "valkey.sock").is_socket()
