"""A real Valkey cluster of six processes on loopback: three primaries, each with a replica."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from bench.processes import free_port
from gatehouse.storage.valkey import executable

SLOTS = 16_384
PRIMARIES = 3
NODE_TIMEOUT_MS = 1500  # of silence after which a primary is replaced
START_SECONDS = 30.0
MEET_SECONDS = 2.0
POLL = 0.05
OPTIONS = (
    *("--cluster-enabled", "yes", "--save", "", "--appendonly", "no", "--bind", "127.0.0.1"),
    *("--cluster-node-timeout", str(NODE_TIMEOUT_MS), "--repl-diskless-sync-delay", "0"),
    *("--cluster-replica-validity-factor", "0", "--loglevel", "warning"),
)


class ClusterServer:
    """One server of the cluster."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.redis = Redis(port=self.port, socket_timeout=5)

    def start(self) -> None:
        """Start it; it knows what it knew of the cluster."""
        self.folder.mkdir(parents=True, exist_ok=True)
        where = ("--port", str(self.port), "--cluster-port", str(free_port()), "--dir", str(self.folder))
        self.process = subprocess.Popen(
            [str(executable()), *where, *OPTIONS], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def kill(self) -> None:
        """End it without a word."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        self.redis.close()

    def say(self, *words: Any) -> Any:
        """Return what it answers, as it is. Raises RedisError."""
        return self.redis.execute_command(*words)  # type: ignore[no-untyped-call]

    @property
    def id(self) -> str:
        return str(self.say("CLUSTER MYID").decode())

    @property
    def is_primary(self) -> bool:
        try:
            return bool(self.say("ROLE")[0] == b"master")
        except (RedisError, OSError):
            return False


class Cluster:
    """Six servers. Slots are spread evenly over the first three."""

    def __init__(self, folder: Path) -> None:
        self.servers = [ClusterServer(folder / str(number)) for number in range(2 * PRIMARIES)]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in self.servers)

    def start(self) -> None:
        """Start the servers and make them a cluster; return when it serves."""
        for server in self.servers:
            server.start()
        for server in self.servers:
            wait_until(partial(answers, server))
        while missing := self._not_met():  # a busy machine is too slow for a handshake, which is not repeated
            for server in missing:
                self.servers[0].say("CLUSTER MEET", "127.0.0.1", server.port, self._bus_port(server))
            with suppress(AssertionError):
                wait_until(lambda: not self._not_met(), MEET_SECONDS)
        primaries, replicas = self.servers[:PRIMARIES], self.servers[PRIMARIES:]
        for number, server in enumerate(primaries):
            first, last = number * SLOTS // PRIMARIES, (number + 1) * SLOTS // PRIMARIES - 1
            server.say("CLUSTER ADDSLOTSRANGE", first, last)
        for primary, replica in zip(primaries, replicas, strict=True):
            wait_until(partial(follows, replica, primary))
        wait_until(self.is_well)

    def _not_met(self) -> list[ClusterServer]:
        """Return the servers that the first does not know yet."""
        nodes = self.servers[0].say("CLUSTER", "NODES").decode().splitlines()
        known = {line.split()[0] for line in nodes if "handshake" not in line}
        return [server for server in self.servers if server.id not in known]

    def is_well(self) -> bool:
        """Tell whether every slot is served, and every primary has a replica that is linked."""
        return all(
            is_well(server) for server in self.servers if server.process and server.process.poll() is None
        )

    def primary_of(self, slot: int) -> ClusterServer:
        """Return the server that has the slot now."""
        for server in self.servers:
            with suppress(RedisError, OSError):
                for first, last, (_, port, *_), *_ in server.say("CLUSTER", "SLOTS"):
                    if first <= slot <= last:
                        return next(found for found in self.servers if found.port == port)
        raise AssertionError(f"nobody has slot {slot}")

    def replica_of(self, primary: ClusterServer) -> ClusterServer:
        name = primary.id.encode()
        return next(
            server for server in self.servers
            if server is not primary and name in next(line for line in server.say("CLUSTER", "NODES").splitlines() if b"myself" in line)
        )  # fmt: skip

    @contextmanager
    def moving(self, slot: int, target: ClusterServer) -> Iterator[Callable[[int], bool]]:
        """Yield what moves so many keys of a slot to another primary, and tells whether any is left.

        In the end all are moved, as resharding tools do.
        """
        source = self.primary_of(slot)
        target.say("CLUSTER SETSLOT", slot, "IMPORTING", source.id)
        source.say("CLUSTER SETSLOT", slot, "MIGRATING", target.id)

        def move(count: int) -> bool:
            if keys := source.say("CLUSTER GETKEYSINSLOT", slot, count):
                source.say("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "REPLACE", "KEYS", *keys)
            return bool(keys)

        yield move
        while move(10):
            pass
        for server in (target, source):
            server.say("CLUSTER SETSLOT", slot, "NODE", target.id)

    def wait(self) -> None:
        """Return when the servers that run are well."""
        wait_until(self.is_well)

    def empty(self) -> None:
        """Delete everything."""
        for server in self.servers:
            if server.is_primary:
                server.redis.flushall()

    def stop(self) -> None:
        for server in self.servers:
            server.kill()

    @staticmethod
    def _bus_port(server: ClusterServer) -> int:
        myself = server.say("CLUSTER", "NODES").decode()  # in two words redis-py parses nothing
        return int(myself.partition("@")[2].partition(",")[0].partition(" ")[0])


@contextmanager
def running_cluster(folder: Path) -> Iterator[Cluster]:
    """Yield a cluster that serves; kill it in the end."""
    cluster = Cluster(folder)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def wait_until(found: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    until = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < until, "the cluster does not come up"
        time.sleep(POLL)


def answers(server: ClusterServer) -> bool:
    with suppress(RedisError, OSError):
        return bool(server.redis.ping())
    return False


def follows(replica: ClusterServer, primary: ClusterServer) -> bool:
    with suppress(RedisError):  # it has not heard of the primary yet
        replica.say("CLUSTER REPLICATE", primary.id)
        return True
    return False


def is_well(server: ClusterServer) -> bool:
    with suppress(RedisError, OSError):
        state = server.say("CLUSTER", "INFO").decode()
        role = server.say("ROLE")
        linked = role[0] == b"master" or role[3] == b"connected"
        return linked and "cluster_state:ok" in state and f"cluster_slots_ok:{SLOTS}" in state
    return False
