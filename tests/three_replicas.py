"""Three replicas behind nginx, over one Redis and one PostgreSQL: what a client in production talks to."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from live_server import LiveServer, running_server
from postgres_databases import create_database

from tests.chaos.rolling.edge import Edge

LEASE = "2"  # seconds, after which another replica goes on with a run


@dataclass(frozen=True)
class ThreeReplicas:
    """The replicas, and nginx in front of those that are routed: all of them at first."""

    servers: tuple[LiveServer, LiveServer, LiveServer]
    edge: Edge

    @property
    def url(self) -> str:
        return self.edge.url

    @property
    def keys(self) -> dict[str, str]:
        return dict(self.servers[0].keys)

    def described(self) -> str:
        """Return where each replica is, and its process, for a client that chooses one, or kills it."""
        return json.dumps([{"url": server.url, "pid": server.process.pid} for server in self.servers])

    def reroute(self, *servers: LiveServer) -> None:
        """Send new requests to these alone from now on."""
        asyncio.run(self.edge.reroute(servers))


@contextmanager
def three_replicas(
    folder: Path, redis_url: str, postgres_url: str, **environment: str
) -> Iterator[ThreeReplicas]:
    """Yield replicas that serve, with a database of their own; end them afterwards."""
    shared = {
        "GATEHOUSE_REDIS_URL": redis_url,
        "GATEHOUSE_DATABASE_URL": asyncio.run(create_database(postgres_url)),
        "GATEHOUSE_RUN_LEASE": LEASE,
        **environment,
    }
    with ExitStack() as stack:
        first, second, third = (stack.enter_context(running_server(folder, **shared)) for _ in range(3))
        edge = Edge(folder)
        edge.route((first, second, third))
        stack.callback(edge.end)
        asyncio.run(edge.start())
        yield ThreeReplicas((first, second, third), edge)
