"""`gatehouse serve` over a real Redis and a real PostgreSQL, as a role that is no superuser."""

import asyncio
from collections.abc import Iterator

import pytest
from guarded_server import Guarded
from live_redis import running_redis
from live_server import running_server
from postgres_databases import create_database, drop_database
from redis import Redis


@pytest.fixture(scope="session")
def guarded(tmp_path_factory: pytest.TempPathFactory, postgres_url: str) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("security")
    database = asyncio.run(create_database(postgres_url))
    with running_redis(folder) as redis_url, Redis.from_url(redis_url) as redis:
        environment = {"GATEHOUSE_DATABASE_URL": database, "GATEHOUSE_REDIS_URL": redis_url}
        with running_server(folder, **environment) as server:
            yield Guarded(server, redis, environment)
    asyncio.run(drop_database(postgres_url, database))
