"""Redis, a database with the table of API keys, settings."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from auth_app import Served, serve
from auth_settings import PARTNER, PEPPER, MakeSettings
from httpx import ASGITransport, AsyncClient
from migrated_databases import migrated_copy, url_of
from redis.asyncio import Redis
from signed_tokens import AUDIENCE, ISSUER, SECRET
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.auth.api_keys.peppers import Peppers
from gatehouse.auth.api_keys.store import ApiKeys, CreatedKey
from gatehouse.auth.authenticator import Authenticator, open_authenticator
from gatehouse.settings import Settings
from gatehouse.storage.database import open_engine


@pytest.fixture
async def redis(empty_redis: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(empty_redis) as client:
        yield client


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
def served(settings: Settings, authenticator: Authenticator, redis: Redis) -> Served:
    return serve(settings, authenticator, redis)


@pytest.fixture
async def client(served: Served) -> AsyncIterator[AsyncClient]:
    """A client of a development server on http://localhost."""
    async with AsyncClient(transport=ASGITransport(served.app), base_url="http://localhost:8000") as client:
        yield client


@pytest.fixture
async def alice(keys: ApiKeys) -> CreatedKey:
    return await keys.create(tenant_id="acme", user_id="alice", name="Alice", scopes=["runnable:chat"])
