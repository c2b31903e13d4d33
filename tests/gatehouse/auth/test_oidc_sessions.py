"""Sessions that began at the issuer end when the issuer says so, on every replica."""

import time
from typing import Any

import pytest
from redis.asyncio import Redis

from gatehouse.auth.browser.sessions import Sessions
from gatehouse.auth.oidc.id_token import IdToken, LogoutToken
from gatehouse.auth.oidc.logins import Login, Logins
from gatehouse.auth.oidc.sessions import OidcSessions
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InvalidCredential

ALICE = Principal("acme", "alice", "Alice", frozenset({"*"}), "jwt", "oidc:1")
LOGIN = Login("verifier", "nonce", "https://gatehouse.example/auth/callback", "/docs")


@pytest.fixture
def sessions(redis: Redis) -> Sessions:
    return Sessions(redis, 600)


@pytest.fixture
def oidc_sessions(redis: Redis, sessions: Sessions) -> OidcSessions:
    return OidcSessions(redis, sessions)


def id_token(sub: str = "alice", sid: str | None = "s1", issued: float | None = None) -> IdToken:
    return IdToken("text", {}, sub, sid, time.time() if issued is None else issued)


def logout(sub: str | None = "alice", sid: str | None = "s1", jti: str = "1", **more: Any) -> LogoutToken:
    now = time.time()
    return LogoutToken(jti, sub, sid, **{"issued": now, "expires": now + 120, **more})


class TestSessionOfTheIssuer:
    async def test_ends_by_its_sid_and_no_other(
        self, sessions: Sessions, oidc_sessions: OidcSessions
    ) -> None:
        one = await oidc_sessions.open(ALICE, id_token())
        other = await oidc_sessions.open(ALICE, id_token(sid="s2"))
        await oidc_sessions.end(logout())
        assert await sessions.find(one.token) is None
        assert await sessions.find(other.token) is not None

    async def test_ends_with_all_of_the_same_sub(
        self, sessions: Sessions, oidc_sessions: OidcSessions
    ) -> None:
        opened = [await oidc_sessions.open(ALICE, id_token(sid=sid)) for sid in ("s1", "s2", None)]
        bob = await oidc_sessions.open(ALICE, id_token(sub="bob", sid="s3"))
        await oidc_sessions.end(logout(sid=None))
        assert [await sessions.find(session.token) for session in opened] == [None] * 3
        assert await sessions.find(bob.token) is not None

    async def test_leaves_no_hint_when_it_has_ended(self, oidc_sessions: OidcSessions) -> None:
        opened = await oidc_sessions.open(ALICE, id_token())
        await oidc_sessions.end(logout())
        assert await oidc_sessions.take_hint(opened.principal.credential_id) is None

    async def test_ends_by_sid_alone(self, sessions: Sessions, oidc_sessions: OidcSessions) -> None:
        opened = await oidc_sessions.open(ALICE, id_token())
        await oidc_sessions.end(logout(sub=None))
        assert await sessions.find(opened.token) is None

    async def test_does_not_end_by_its_sid_with_another_s_sub(
        self, sessions: Sessions, oidc_sessions: OidcSessions
    ) -> None:
        opened = await oidc_sessions.open(ALICE, id_token())
        await oidc_sessions.end(logout(sub="bob"))
        assert await sessions.find(opened.token) is not None

    async def test_is_unknown_and_nothing_happens(
        self, sessions: Sessions, oidc_sessions: OidcSessions
    ) -> None:
        opened = await oidc_sessions.open(ALICE, id_token())
        await oidc_sessions.end(logout(sid="nobody's", sub=None))
        assert await sessions.find(opened.token) is not None

    async def test_does_not_begin_when_its_sign_out_came_first(
        self, sessions: Sessions, oidc_sessions: OidcSessions, redis: Redis
    ) -> None:
        await oidc_sessions.end(logout())
        with pytest.raises(InvalidCredential):
            await oidc_sessions.open(ALICE, id_token())
        assert not [key async for key in redis.scan_iter("gh:session:*")]

    async def test_does_not_begin_after_a_sign_out_everywhere_but_later_ones_do(
        self, oidc_sessions: OidcSessions
    ) -> None:
        now = time.time()
        await oidc_sessions.end(logout(sid=None, issued=now))
        with pytest.raises(InvalidCredential):
            await oidc_sessions.open(ALICE, id_token(sid="s4", issued=now - 5))
        for seconds in (0, 5):  # tokens are dated to the second: who signs in again at once is let in
            assert await oidc_sessions.open(ALICE, id_token(sid="s5", issued=now + seconds))

    async def test_leaves_nothing_in_redis_for_ever(self, oidc_sessions: OidcSessions, redis: Redis) -> None:
        await oidc_sessions.open(ALICE, id_token())
        await oidc_sessions.end(logout(sub="bob"))
        keys = [key async for key in redis.scan_iter("gh:*")]
        assert len(keys) >= 5
        assert [key for key in keys if await redis.ttl(key) <= 0] == []
        assert not [key for key in keys if b"alice" in key or b"s1" in key]


class TestLogoutToken:
    async def test_works_once(self, oidc_sessions: OidcSessions) -> None:
        await oidc_sessions.end(logout())
        with pytest.raises(InvalidCredential):
            await oidc_sessions.end(logout())

    async def test_that_is_about_to_expire_works(
        self, sessions: Sessions, oidc_sessions: OidcSessions
    ) -> None:
        opened = await oidc_sessions.open(ALICE, id_token())
        await oidc_sessions.end(logout(expires=time.time() - 20))
        assert await sessions.find(opened.token) is None


class TestHint:
    async def test_is_had_once(self, oidc_sessions: OidcSessions) -> None:
        opened = await oidc_sessions.open(ALICE, id_token())
        session_id = opened.principal.credential_id
        assert await oidc_sessions.take_hint(session_id) == "text"
        assert await oidc_sessions.take_hint(session_id) is None


class TestLogins:
    async def test_are_taken_once_by_the_browser_that_began(self, redis: Redis) -> None:
        logins = Logins(redis)
        state = await logins.begin(LOGIN, "browser")
        assert await logins.take(state, "browser") == LOGIN
        assert await logins.take(state, "browser") is None

    async def test_are_used_up_by_another_browser(self, redis: Redis) -> None:
        logins = Logins(redis)
        state = await logins.begin(LOGIN, "browser")
        assert await logins.take(state, "another") is None
        assert await logins.take(state, "browser") is None

    @pytest.mark.parametrize("state", ["", "x", "x" * 65, "\ud800"])
    @pytest.mark.parametrize("browser", ["", "x" * 65, "browser"])
    async def test_of_no_such_state_are_none(self, redis: Redis, state: str, browser: str) -> None:
        assert await Logins(redis).take(state, browser) is None

    async def test_of_another_release_are_none(self, redis: Redis) -> None:
        logins = Logins(redis)
        state = await logins.begin(LOGIN, "browser")
        [key] = [key async for key in redis.scan_iter("gh:oidc:login:*")]
        await redis.set(key, '{"login": {}}')
        assert await logins.take(state, "browser") is None

    async def test_do_not_tell_a_reader_of_redis_how_to_finish_them(self, redis: Redis) -> None:
        state = await Logins(redis).begin(LOGIN, "the browser's secret")
        [key] = [key async for key in redis.scan_iter("gh:oidc:login:*")]
        kept = await redis.get(key)
        assert state.encode() not in key
        assert isinstance(kept, bytes)
        assert b"the browser's secret" not in kept
        assert 0 < await redis.ttl(key) <= 600
