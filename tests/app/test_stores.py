"""Redis at the start: opened, or refused in words that name the setting and hold no password."""

import traceback

import pytest

from app.settings import Settings
from app.stores import CannotStart, open_redis

PASSWORD = "hunter2secret"


def settings(url: str | None) -> Settings:
    return Settings(_env_file=None, redis_url=url)  # type: ignore[call-arg]


async def refusal(url: str) -> CannotStart:
    with pytest.raises(CannotStart) as refused:
        async with open_redis(settings(url)):
            pass
    return refused.value


async def test_the_in_process_store() -> None:
    async with open_redis(settings(None)) as redis:
        assert await redis.ping()


async def test_a_server(redis_url: str) -> None:
    async with open_redis(settings(redis_url)) as redis:
        assert await redis.ping()


@pytest.mark.parametrize(
    "url",
    [
        f"postgres://user:{PASSWORD}@127.0.0.1/0",
        f"user:{PASSWORD}@127.0.0.1:6379",
        f"redis://user:{PASSWORD}/1@127.0.0.1:6379",  # the slash ends the host: the password is a port
        f"redis://user:{PASSWORD}@127.0.0.1:99999",
        f"redis://user:{PASSWORD}@127.0.0.1:6379?socket_timeout=soon",
        f"redis://user:{PASSWORD}@127.0.0.1:6379?nonsense=1",
        f"redis://user:{PASSWORD}@[::1",
    ],
)
async def test_a_url_that_cannot_be_used(url: str) -> None:
    error = await refusal(url)
    assert str(error).startswith("Redis: GATEHOUSE_REDIS_URL cannot be used")
    assert PASSWORD not in "".join(traceback.format_exception(error))


@pytest.mark.parametrize("host", ["127.0.0.1:1", "nowhere.invalid"])
async def test_a_server_that_does_not_answer(host: str) -> None:
    error = await refusal(f"redis://user:{PASSWORD}@{host}")
    assert str(error).startswith("Redis: GATEHOUSE_REDIS_URL cannot be reached")
    assert PASSWORD not in "".join(traceback.format_exception(error))
