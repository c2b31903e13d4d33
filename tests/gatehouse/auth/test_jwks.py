"""Keys over the network: fetched once for everybody, kept fresh, and never waited for when known."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import jwt
import pytest
from publisher import (
    KEY,
    OTHER_KEY,
    Answer,
    Flood,
    Publisher,
    document,
    drip,
    hang_up,
    jwk,
    keys,
    publishing,
    silence,
    text,
)
from signed_tokens import AUDIENCE, ISSUER, good_claims

from gatehouse.auth.tokens import issuer_http, jwks
from gatehouse.auth.tokens.access import AccessTokens
from gatehouse.auth.tokens.issuer_http import IssuerHttp, IssuerUnreachable, client_options
from gatehouse.auth.tokens.jwks import Freshness, IssuerKeys
from gatehouse.auth.tokens.jwt import JwtVerifier
from gatehouse.auth.tokens.keys import KeySet
from gatehouse.auth.tokens.remote_issuer import FetchedKeys, RemoteIssuer
from gatehouse.problems.errors import InvalidCredential, Unavailable

LONG = Freshness(max_age=3600, stale=3600, cooldown=3600)
NO_COOLDOWN = Freshness(max_age=3600, stale=3600, cooldown=0.001)


def token(kid: str = "one", key: Any = KEY, **changes: Any) -> str:
    return jwt.encode(good_claims(**changes), key, "ES256", {"kid": kid})


@dataclass
class Watched:
    """Keys that are kept, and the verifier that finds its keys there."""

    keys: IssuerKeys
    tokens: AccessTokens
    publisher: Publisher

    @property
    def fetches(self) -> int:
        return self.publisher.requests.count("/jwks")

    async def accepts(self, text: str) -> bool:
        try:
            await self.tokens.verify(text)
        except InvalidCredential:
            return False
        return True


async def eventually(wanted: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not wanted():
            await asyncio.sleep(0.01)


@pytest.fixture
async def publisher() -> AsyncIterator[Publisher]:
    async with publishing() as publisher:
        publisher.answers["/jwks"] = document(keys(one=KEY))
        yield publisher


@pytest.fixture
async def http() -> AsyncIterator[IssuerHttp]:
    async with httpx2.AsyncClient(**client_options()) as client:
        yield IssuerHttp(client, https_only=False)


Watch = Callable[..., Any]


@pytest.fixture
async def watch(publisher: Publisher, http: IssuerHttp) -> AsyncIterator[Watch]:
    async with AsyncExitStack() as stack:

        async def start(freshness: Freshness, warm: bool = True, algorithms: tuple[str, ...] = ()) -> Watched:
            remote = RemoteIssuer(http, ISSUER, f"{publisher.url}/jwks", algorithms)
            kept = IssuerKeys(remote.fetch_keys, freshness)
            verifier = JwtVerifier(kept, issuer=ISSUER, audience=AUDIENCE, leeway=30, max_lifetime=86_400)
            task = asyncio.create_task(kept.keep())

            async def stop() -> None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

            stack.push_async_callback(stop)
            if warm:
                await eventually(lambda: kept.ready)
            return Watched(kept, AccessTokens(verifier, kept), publisher)

        yield start


class TestKnownKey:
    async def test_is_used_without_asking_again(self, watch: Watch) -> None:
        watched = await watch(LONG)
        for number in range(50):
            assert await watched.accepts(token(jti=str(number)))
        assert watched.fetches == 1

    async def test_never_waits_for_an_unknown_one(self, watch: Watch, publisher: Publisher) -> None:
        watched = await watch(NO_COOLDOWN)
        publisher.answers["/jwks"] = silence
        await asyncio.sleep(0.01)
        waiting = asyncio.create_task(watched.accepts(token("unknown")))
        await eventually(lambda: watched.fetches == 2)
        async with asyncio.timeout(2):  # the fetch would take 4 s to be given up
            assert await watched.accepts(token())
        assert not waiting.done()
        waiting.cancel()

    async def test_that_was_removed_is_refused_after_max_age(
        self, watch: Watch, publisher: Publisher
    ) -> None:
        watched = await watch(Freshness(max_age=0.2, stale=3600, cooldown=0.05))
        old = token()
        assert await watched.accepts(old)
        publisher.answers["/jwks"] = document(keys(two=OTHER_KEY))
        await eventually(lambda: watched.keys.find("ES256", "one") is None)
        assert not await watched.accepts(old), "though it was remembered"
        assert await watched.accepts(token("two", OTHER_KEY))

    @pytest.mark.parametrize("alg", ["RS256", "HS256", "none"])
    async def test_takes_no_other_algorithm(self, watch: Watch, alg: str) -> None:
        watched = await watch(NO_COOLDOWN)
        rest = token().split(".")[1:]
        forged = jwt.utils.base64url_encode(f'{{"alg": "{alg}", "kid": "one"}}'.encode()).decode()
        assert not await watched.accepts(".".join([forged, *rest]))


class TestUnknownKey:
    async def test_of_a_rotation_is_accepted_after_the_cooldown(
        self, watch: Watch, publisher: Publisher
    ) -> None:
        watched = await watch(Freshness(max_age=3600, stale=3600, cooldown=0.3))
        publisher.answers["/jwks"] = document(keys(one=KEY, two=OTHER_KEY))
        new = token("two", OTHER_KEY)
        await asyncio.sleep(0.35)
        assert await watched.accepts(new)
        assert await watched.accepts(token())
        assert watched.fetches == 2

    async def test_asks_nobody_within_the_cooldown(self, watch: Watch) -> None:
        watched = await watch(LONG)
        answers = await asyncio.gather(*(watched.accepts(token(f"kid {n}")) for n in range(1000)))
        assert not any(answers)
        assert watched.fetches == 1

    async def test_costs_one_fetch_for_a_thousand(self, watch: Watch) -> None:
        watched = await watch(Freshness(max_age=3600, stale=3600, cooldown=0.3))
        unknown = [token(f"kid {n}") for n in range(1000)]
        await asyncio.sleep(0.35)
        answers = await asyncio.gather(*map(watched.accepts, unknown))
        assert not any(answers)
        assert watched.fetches == 2

    async def test_costs_one_fetch_when_that_fails_too(self, watch: Watch, publisher: Publisher) -> None:
        watched = await watch(Freshness(max_age=3600, stale=3600, cooldown=1))
        publisher.answers["/jwks"] = text("oops", 500)
        unknown = [token(f"kid {n}") for n in range(1000)]
        await asyncio.sleep(1.05)
        answers = await asyncio.gather(*map(watched.accepts, unknown))
        assert not any(answers)
        assert watched.fetches == 2
        assert await watched.accepts(token())

    async def test_during_a_fetch_costs_no_other_one(self) -> None:
        fetches: list[int] = []
        answered = asyncio.Event()

        async def fetch() -> Any:
            fetches.append(1)
            await answered.wait()
            raise IssuerUnreachable("down")

        kept = IssuerKeys(fetch, LONG)
        task = asyncio.create_task(kept.keep())
        await eventually(lambda: bool(fetches))
        asking = [asyncio.create_task(kept.look_again()) for _ in range(3)]
        await asyncio.sleep(0)
        answered.set()
        assert not any(await asyncio.gather(*asking))
        await asyncio.sleep(0.05)
        assert len(fetches) == 1
        task.cancel()

    @pytest.mark.parametrize("kid", ["../../../etc/passwd", "' OR 1=1 --", "k" * 6000, "", "\x00"])
    async def test_of_any_shape_is_refused(self, watch: Watch, kid: str) -> None:
        watched = await watch(NO_COOLDOWN)
        watched.publisher.answers["/jwks"] = document(keys(one=KEY, two=OTHER_KEY))
        await asyncio.sleep(0.01)
        assert not await watched.accepts(token(kid))

    async def test_is_given_up_when_nobody_fetches(
        self, http: IssuerHttp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jwks, "LONGEST_FETCH", 0.05)
        remote = RemoteIssuer(http, ISSUER, "http://127.0.0.1:1/jwks", ())
        assert not await IssuerKeys(remote.fetch_keys, LONG).look_again()


FAULTS: dict[str, Answer] = {
    "500": text("oops", 500),
    "404": text("not found", 404),
    "hanging up": hang_up,
    "redirecting": text("", 302, location="/elsewhere"),
    "HTML": text("<!doctype html><title>Sign in</title>", content_type="text/html"),
    "compressed": text(b"\x1f\x8b", content_encoding="gzip"),
    "no list": document({"keys": {}}),
    "empty": document({"keys": []}),
    "symmetric": document({"keys": [jwk(KEY, "one"), {"kty": "oct", "k": "c2VjcmV0", "kid": "two"}]}),
    "private": document({"keys": [{**jwk(KEY, "one"), "d": "AA"}]}),
    "duplicate kid": document({"keys": [jwk(KEY, "one"), jwk(OTHER_KEY, "one")]}),
    "without kid": document({"keys": [jwk(KEY, "one"), {**jwk(OTHER_KEY, ""), "kid": None}]}),
    "deep": text("[" * 100_000),
}


class TestIssuerThat:
    @pytest.mark.parametrize("fault", FAULTS)
    async def test_fails_leaves_the_known_keys_in_use(
        self, watch: Watch, publisher: Publisher, fault: str
    ) -> None:
        watched = await watch(Freshness(max_age=0.1, stale=3600, cooldown=0.05))
        publisher.answers["/elsewhere"] = document(keys(evil=OTHER_KEY))
        publisher.answers["/jwks"] = FAULTS[fault]
        before = watched.fetches
        await eventually(lambda: watched.fetches >= before + 3)
        assert await watched.accepts(token())
        assert not await watched.accepts(token("evil", OTHER_KEY))
        assert "/elsewhere" not in publisher.requests

    @pytest.mark.parametrize("fault", FAULTS)
    async def test_fails_from_the_start_is_not_ready_until_it_recovers(
        self, watch: Watch, publisher: Publisher, fault: str
    ) -> None:
        publisher.answers["/jwks"] = FAULTS[fault]
        watched = await watch(Freshness(max_age=3600, stale=3600, cooldown=0.05), warm=False)
        await eventually(lambda: watched.fetches >= 2)
        assert not watched.tokens.ready
        with pytest.raises(Unavailable, match="issuer's keys"):
            await watched.tokens.verify(token())
        publisher.answers["/jwks"] = document(keys(one=KEY))
        await eventually(lambda: watched.tokens.ready)
        assert await watched.accepts(token())

    async def test_is_down_for_too_long_leaves_no_keys(self, watch: Watch, publisher: Publisher) -> None:
        watched = await watch(Freshness(max_age=0.2, stale=0.1, cooldown=0.05))
        publisher.answers["/jwks"] = hang_up
        known = token()
        async with asyncio.timeout(20):
            while True:
                try:
                    await watched.tokens.verify(known)
                except Unavailable:
                    break
                await asyncio.sleep(0.01)
        assert watched.tokens.ready, "it was warm once: API keys and sessions go on working"
        publisher.answers["/jwks"] = document(keys(one=KEY))
        async with asyncio.timeout(20):
            while True:
                try:
                    assert await watched.accepts(known)
                except Unavailable:
                    await asyncio.sleep(0.01)
                else:
                    break

    @pytest.mark.parametrize("slow", [silence, drip])
    async def test_is_slow_is_given_up_in_time(
        self, publisher: Publisher, http: IssuerHttp, monkeypatch: pytest.MonkeyPatch, slow: Answer
    ) -> None:
        monkeypatch.setattr(issuer_http, "SECONDS", 0.2)
        publisher.answers["/jwks"] = slow
        started = time.monotonic()
        with pytest.raises(IssuerUnreachable, match=r"did not answer within 0\.2 s"):
            await http.get(f"{publisher.url}/jwks")
        assert time.monotonic() - started < 3

    @pytest.mark.parametrize(
        "head", [b"content-length: 1073741824\r\n", b"", b"content-type: application/json\r\n"]
    )
    async def test_sends_a_gigabyte_is_stopped_early(
        self, publisher: Publisher, http: IssuerHttp, head: bytes
    ) -> None:
        flood = Flood(head)
        publisher.answers["/jwks"] = flood
        with pytest.raises(IssuerUnreachable, match="more than 262144 bytes"):
            await http.get(f"{publisher.url}/jwks")
        assert flood.sent < 32 << 20  # what the sockets of both sides hold

    async def test_breaks_the_fetching_does_not_end_it(
        self, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[int] = []

        async def fetch() -> Any:
            calls.append(1)
            raise ZeroDivisionError

        kept = IssuerKeys(fetch, Freshness(max_age=1, stale=1, cooldown=0.01))
        task = asyncio.create_task(kept.keep())
        await eventually(lambda: len(calls) >= 3)
        assert not task.done()
        task.cancel()


class TestAge:
    @pytest.mark.parametrize(("told", "usable"), [(100.0, 159.0), (None, 359.0), (9999.0, 659.0)])
    async def test_of_keys_counts_from_when_they_were_asked_for(
        self, monkeypatch: pytest.MonkeyPatch, told: float | None, usable: float
    ) -> None:
        """Keys that the issuer cannot renew are used for their age, and `stale` seconds more."""
        now = [1000.0]
        monkeypatch.setattr(jwks, "monotonic", lambda: now[0])

        async def fetch() -> FetchedKeys:
            now[0] += 5  # an answer that is slow
            return FetchedKeys(KeySet(()), told)

        kept = IssuerKeys(fetch, Freshness(max_age=600, stale=60, cooldown=30))
        task = asyncio.create_task(kept.keep())
        await eventually(lambda: kept.ready)
        now[0] = 1000 + usable
        assert kept.current == KeySet(())
        now[0] += 2
        with pytest.raises(Unavailable):
            _ = kept.current
        task.cancel()


class TestRefresh:
    async def test_comes_at_the_age_that_the_issuer_names(self, watch: Watch, publisher: Publisher) -> None:
        publisher.answers["/jwks"] = document(keys(one=KEY), cache_control="public, max-age=0")
        watched = await watch(Freshness(max_age=3600, stale=3600, cooldown=0.05))
        await eventually(lambda: watched.fetches >= 3)

    async def test_keeps_the_tokens_remembered_while_the_keys_are_the_same(
        self, watch: Watch, publisher: Publisher
    ) -> None:
        watched = await watch(Freshness(max_age=0.05, stale=3600, cooldown=0.01))
        before = watched.keys.current
        await eventually(lambda: watched.fetches >= 3)
        assert watched.keys.current is before

    @pytest.mark.parametrize(
        ("told", "age"), [(None, 300), (0, 30), (29, 30), (31, 31), (3600, 3600), (86_400, 3600)]
    )
    def test_is_never_too_early_nor_too_late(self, told: float | None, age: float) -> None:
        assert Freshness(max_age=3600, stale=0, cooldown=30).age(told) == age

    @pytest.mark.parametrize(
        ("headers", "seconds"),
        [
            ({}, None),
            ({"cache-control": "max-age=60"}, 60),
            ({"cache-control": "public, max-age=15, stale-while-revalidate=15"}, 15),
            ({"cache-control": 'MAX-AGE="60"'}, 60),
            ({"cache-control": "max-age=60", "age": "20"}, 40),
            ({"cache-control": "max-age=60", "age": "90"}, 0),
            ({"cache-control": "max-age=60", "age": "soon"}, 60),
            ({"cache-control": "no-store, max-age=60"}, 0),
            ({"cache-control": "no-cache"}, 0),
            ({"cache-control": "max-age=-1"}, None),
            ({"cache-control": "max-age=9999999999999"}, None),
            ({"cache-control": "s-maxage=60"}, None),
        ],
    )
    def test_reads_what_the_answer_says(self, headers: dict[str, str], seconds: float | None) -> None:
        assert issuer_http.max_age(httpx2.Headers(headers)) == seconds


class TestAlgorithms:
    async def test_that_are_not_listed_have_no_key(self, watch: Watch) -> None:
        watched = await watch(LONG, algorithms=("ES256",))
        assert await watched.accepts(token())

    async def test_of_which_the_issuer_has_none_leave_it_unready(self, watch: Watch) -> None:
        watched = await watch(LONG, warm=False, algorithms=("RS256",))
        await eventually(lambda: watched.fetches >= 2)
        assert not watched.keys.ready


class TestUrl:
    @pytest.mark.parametrize(
        "url",
        ["http://issuer.example/jwks", "ftp://issuer.example", "https://", "file:///etc/passwd", "jwks",
         "https://user:hunter2@issuer.example/", "https://[::1", "https://issuer.example:port/"],
    )  # fmt: skip
    async def test_that_keys_must_not_travel_by_is_refused(self, url: str) -> None:
        async with httpx2.AsyncClient() as client:
            with pytest.raises(IssuerUnreachable) as refusal:
                await IssuerHttp(client, https_only=True).get(url)
        assert "hunter2" not in str(refusal.value)

    async def test_of_nobody_is_unreachable(self, http: IssuerHttp) -> None:
        with pytest.raises(IssuerUnreachable, match="ConnectError"):
            await http.get("http://127.0.0.1:1/jwks")
