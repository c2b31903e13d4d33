"""A ticket works once, for one route, for half a minute, and for nobody but its owner."""

import asyncio
from dataclasses import replace

import pytest
from redis.asyncio import Redis

from gatehouse.auth.browser.tickets import LIFETIME, Tickets
from gatehouse.identity.principal import Principal

ALICE = Principal(
    "acme", "alice", "Alice", frozenset({"runnable:chat"}), "session", "s1", 4e9, opened_with="api_key:k1"
)
ROUTE = "/ws/chat/"


@pytest.fixture
def tickets(redis: Redis) -> Tickets:
    return Tickets(redis)


class TestIssue:
    async def test_gives_what_stands_for_the_principal(self, tickets: Tickets) -> None:
        assert await tickets.redeem(await tickets.issue(ALICE, ROUTE), ROUTE) == ALICE

    @pytest.mark.parametrize(
        "route",
        [
            "/ws/chat",
            "/ws/chat/",
            "/api/chat/stream",
            "/api/stream",
            "/api/runs/01a1fc96-0000-7000-8000-000000000000/stream",
        ],
    )
    async def test_is_for_routes_that_open_a_stream(self, tickets: Tickets, route: str) -> None:
        assert await tickets.redeem(await tickets.issue(ALICE, route), route) == ALICE

    @pytest.mark.parametrize(
        "route", ["", "/", "/api/keys", "/chat/stream", "//ws/chat/", "/ws/chat/?x=1", "/ws/chat/\n"]
    )
    async def test_refuses_other_routes(self, tickets: Tickets, redis: Redis, route: str) -> None:
        with pytest.raises(ValueError, match="stream"):
            await tickets.issue(ALICE, route)
        assert await redis.keys("*") == []

    async def test_keeps_a_hash_for_30_seconds(self, tickets: Tickets, redis: Redis) -> None:
        ticket = await tickets.issue(ALICE, ROUTE)
        [key] = await redis.keys("*")
        assert ticket not in f"{key!r} {await redis.get(key)!r}"
        assert LIFETIME == 30
        assert 29_000 < await redis.pttl(key) <= 30_000
        assert len(ticket) >= 256 / 6


class TestRedeem:
    async def test_works_once(self, tickets: Tickets) -> None:
        ticket = await tickets.issue(ALICE, ROUTE)
        assert await tickets.redeem(ticket, ROUTE) is not None
        assert await tickets.redeem(ticket, ROUTE) is None

    async def test_raced_on_two_replicas_lets_one_in(self, tickets: Tickets, redis: Redis) -> None:
        replicas = [Tickets(redis) for _ in range(10)]
        for _ in range(20):
            ticket = await tickets.issue(ALICE, ROUTE)
            won = await asyncio.gather(*(replica.redeem(ticket, ROUTE) for replica in replicas))
            assert [who for who in won if who] == [ALICE]

    @pytest.mark.parametrize(
        ("route", "other"),
        [(ROUTE, "/api/chat/stream"), ("/ws/chat", "/ws/chat/"), ("/ws/chat/", "/ws/chat")],
    )
    async def test_on_another_route_fails_and_uses_the_ticket_up(
        self, tickets: Tickets, route: str, other: str
    ) -> None:
        ticket = await tickets.issue(ALICE, route)
        assert await tickets.redeem(ticket, other) is None
        assert await tickets.redeem(ticket, route) is None

    async def test_after_its_time_fails(self, tickets: Tickets, redis: Redis) -> None:
        ticket = await tickets.issue(ALICE, ROUTE)
        [key] = await redis.keys("*")
        await redis.pexpire(key, 1)
        await asyncio.sleep(0.02)
        assert await tickets.redeem(ticket, ROUTE) is None

    @pytest.mark.parametrize("token", ["", "x" * 43, "x" * 100_000, "é\x00"])
    async def test_of_what_is_none_fails(self, tickets: Tickets, token: str) -> None:
        assert await tickets.redeem(token, ROUTE) is None

    async def test_of_what_another_release_wrote_fails(self, tickets: Tickets, redis: Redis) -> None:
        ticket = await tickets.issue(ALICE, ROUTE)
        [key] = await redis.keys("*")
        await redis.set(key, '{"who": "alice"}')
        assert await tickets.redeem(ticket, ROUTE) is None

    async def test_tells_principals_apart(self, tickets: Tickets) -> None:
        bob = replace(ALICE, tenant_id="beta", user_id="bob")
        of_alice, of_bob = await tickets.issue(ALICE, ROUTE), await tickets.issue(bob, ROUTE)
        assert await tickets.redeem(of_bob, ROUTE) == bob
        assert await tickets.redeem(of_alice, ROUTE) == ALICE
