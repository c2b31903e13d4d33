"""`gatehouse serve` over a real Redis and a real PostgreSQL, as a role that is no superuser."""

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from live_redis import running_redis
from live_server import SECRET, LiveServer, running_server
from postgres_databases import create_database, drop_database
from redis import Redis


@dataclass
class Guarded:
    """The server, and what it left in Redis. `secrets` are texts that must never be in its log."""

    server: LiveServer
    redis: Redis
    environment: dict[str, str]
    secrets: set[str] = field(default_factory=set)

    def client(self, **headers: str) -> httpx.Client:
        self.secrets.update(value.removeprefix("Bearer ") for value in headers.values())
        return httpx.Client(base_url=self.server.url, headers=headers, timeout=20)

    def bearer(self, user: str = "alice", tenant: str = "acme", scopes: tuple[str, ...] = ("*",)) -> str:
        token = self.server.token(user, tenant, scopes)
        self.secrets.add(token)
        return f"Bearer {token}"

    def runs(self) -> int:
        """Return how many runs there have been: a model or a tool is called in no other way."""
        return sum(1 for _ in self.redis.scan_iter("gh:{*}:run", count=1000))

    def check_log(self) -> None:
        """Fail when a secret that was sent, or that the server was configured with, is in its log."""
        log = self.server.log
        assert '"event": "request"' in log
        for secret in {*self.secrets, *self.server.keys.values(), SECRET}:
            for written in (secret, base64.b64encode(secret.encode()).decode()):
                assert written not in log


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("security")
    database = asyncio.run(create_database(postgres_url))
    with running_redis(folder) as redis_url, Redis.from_url(redis_url) as redis:
        environment = {"GATEHOUSE_DATABASE_URL": database, "GATEHOUSE_REDIS_URL": redis_url}
        with running_server(folder, **environment) as server:
            yield Guarded(server, redis, environment)
    asyncio.run(drop_database(postgres_url, database))
