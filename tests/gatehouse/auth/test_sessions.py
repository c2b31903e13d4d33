import asyncio
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from gatehouse.auth.browser.sessions import Sessions
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InvalidCredential

ALICE = Principal(
    tenant_id="acme",
    user_id="alice",
    name="Alice Martin",
    scopes=frozenset({"runnable:chat", "runnable:agent"}),
    credential="api_key",
    credential_id="key-1",
    claims={"portfolio_id": "acme-alice-1"},
)


@pytest.fixture
def sessions(redis: Redis) -> Sessions:
    return Sessions(redis, lifetime=3600)


class TestOpen:
    async def test_gives_a_token_that_finds_who_signed_in(self, sessions: Sessions) -> None:
        opened = await sessions.open(ALICE)
        found = await sessions.find(opened.token)
        assert found is not None
        assert found.principal == opened.principal
        assert found.principal.credential == "session"
        assert found.principal.opened_with == "api_key:key-1"
        as_before: dict[str, Any] = {
            "credential": "api_key",
            "credential_id": "key-1",
            "expires_at": None,
            "opened_with": "",
        }
        assert replace(found.principal, **as_before) == ALICE
        assert (found.credential, found.credential_id) == ("api_key", "key-1")

    async def test_keeps_a_hash_of_the_token_only(self, sessions: Sessions, redis: Redis) -> None:
        opened = await sessions.open(ALICE)
        [key] = await redis.keys("*")
        kept = await redis.get(key)
        assert opened.token not in f"{key!r} {kept!r}"
        assert opened.token not in repr(opened)
        assert key == f"gh:session:{opened.principal.credential_id}".encode()
        assert len(opened.token) >= 256 / 6

    async def test_gives_another_token_each_time(self, sessions: Sessions) -> None:
        assert (await sessions.open(ALICE)).token != (await sessions.open(ALICE)).token

    async def test_ends_after_its_lifetime(self, redis: Redis) -> None:
        sessions = Sessions(redis, lifetime=0.3)
        opened = await sessions.open(ALICE)
        assert await sessions.find(opened.token) is not None
        await asyncio.sleep(0.35)
        assert await sessions.find(opened.token) is None

    async def test_ends_with_the_credential(self, sessions: Sessions, redis: Redis) -> None:
        ends = time.time() + 60
        opened = await sessions.open(replace(ALICE, expires_at=ends))
        [key] = await redis.keys("*")
        assert 59_000 < await redis.pttl(key) <= 60_000
        assert opened.principal.expires_at == ends
        assert 59 < opened.lifetime <= 60

    @pytest.mark.parametrize("seconds", [-1, 0, 0.0001])
    async def test_of_a_credential_at_its_end_is_refused(
        self, sessions: Sessions, redis: Redis, seconds: float
    ) -> None:
        with pytest.raises(InvalidCredential):
            await sessions.open(replace(ALICE, expires_at=time.time() + seconds))
        assert await redis.keys("*") == []


class TestFind:
    @pytest.mark.parametrize("token", ["", "unknown", "x" * 43, "x" * 100_000, "é\x00"])
    async def test_of_an_unknown_token_is_none(self, sessions: Sessions, token: str) -> None:
        await sessions.open(ALICE)
        assert await sessions.find(token) is None

    @pytest.mark.parametrize("kept", ["", "{}", "[]", "\xff", '{"principal": {"scopes": "*"}}'])
    async def test_of_what_another_release_wrote_is_none(
        self, sessions: Sessions, redis: Redis, kept: str
    ) -> None:
        opened = await sessions.open(ALICE)
        await redis.set(f"gh:session:{opened.principal.credential_id}", kept)
        assert await sessions.find(opened.token) is None

    async def test_reads_what_this_release_wrote(self, sessions: Sessions, redis: Redis) -> None:
        """The value's shape outlives a rolling update: change it only so that older ones are still read."""
        opened = await sessions.open(ALICE)
        kept = json.loads(await redis.get(f"gh:session:{opened.principal.credential_id}") or "")
        assert kept.keys() == {"principal", "credential", "credential_id"}
        assert kept["principal"].keys() >= {"tenant_id", "user_id", "name", "scopes", "expires_at", "claims"}


class TestEnd:
    @pytest.mark.parametrize("remembered", [False, True])
    async def test_lets_nobody_in_any_more(self, sessions: Sessions, remembered: bool) -> None:
        one, other = await sessions.open(ALICE), await sessions.open(ALICE)
        for opened in (one, other) if remembered else ():
            assert await sessions.find(opened.token) is not None
        await sessions.end(one.token)
        await sessions.end("unknown")
        assert await sessions.find(one.token) is None
        assert await sessions.find(other.token) is not None


class TestMemory:
    async def test_spares_redis_a_look_for_each_request(self, sessions: Sessions, redis: Redis) -> None:
        opened = await sessions.open(ALICE)
        first = await sessions.find(opened.token)
        await redis.flushall()
        assert await sessions.find(opened.token) == first

    async def test_of_a_session_that_ended_elsewhere_fades(
        self, redis: Redis, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatehouse.auth.browser.sessions.REMEMBERED_SECONDS", 0.2)
        here, elsewhere = Sessions(redis, lifetime=3600), Sessions(redis, lifetime=3600)
        opened = await here.open(ALICE)
        assert await here.find(opened.token) is not None
        await elsewhere.end(opened.token)
        await asyncio.sleep(0.25)
        assert await here.find(opened.token) is None
