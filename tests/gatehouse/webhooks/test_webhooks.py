"""Webhooks: signed, sent once where they are taken, and again where they are not."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from gatehouse.settings import Settings
from gatehouse.storage.opening import CannotStart
from gatehouse.storage.tenancy import see_as_operator, tenant_transaction
from gatehouse.webhooks.outbox import Outbox, Type
from gatehouse.webhooks.receiver import Receiver, receiver_of
from gatehouse.webhooks.sending import GIVE_UP_AFTER, Sender
from gatehouse.webhooks.table import webhooks

KEY = b"a key of twenty-four bytes"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
TYPES: tuple[Type, ...] = ("approval.opened", "run.ended")
RUN = "0198c0de-0000-7000-8000-000000000001"


class Endpoint:
    """Takes what is posted with one status after the other, the last one again and again."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.taken: list[httpx2.Request] = []

    async def answer(self, request: httpx2.Request) -> httpx2.Response:
        self.taken.append(request)
        return httpx2.Response(self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])


@pytest.fixture
async def sender_to(engine: AsyncEngine) -> AsyncIterator[Callable[[Endpoint], Sender]]:
    clients: list[httpx2.AsyncClient] = []

    def sender(endpoint: Endpoint) -> Sender:
        clients.append(httpx2.AsyncClient(transport=httpx2.MockTransport(endpoint.answer)))
        return Sender(engine, Receiver("https://example.com/hook", KEY), clients[-1])

    yield sender
    for client in clients:
        await client.aclose()


async def add(engine: AsyncEngine) -> None:
    async with tenant_transaction(engine, "acme") as connection:
        await Outbox(engine).add(connection, "acme", "alice", "run.ended", RUN, {"run_id": RUN})


async def rows(engine: AsyncEngine) -> list[Any]:
    async with engine.begin() as connection:
        await see_as_operator(connection)
        return list(await connection.execute(select(webhooks)))


async def change(engine: AsyncEngine, **values: Any) -> None:
    async with engine.begin() as connection:
        await see_as_operator(connection)
        await connection.execute(update(webhooks).values(values))


class TestSender:
    async def test_sends_what_was_added_once_and_signed(
        self, engine: AsyncEngine, sender_to: Callable[[Endpoint], Sender]
    ) -> None:
        endpoint = Endpoint(204)
        sender = sender_to(endpoint)
        await add(engine)
        await add(engine)
        await sender.send_due()
        await sender.send_due()
        [request] = endpoint.taken
        body, headers = request.content, request.headers
        assert json.loads(body)["data"] == {"run_id": RUN}
        assert json.loads(body)["tenant_id"] == "acme"
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-signature"] == f"v1,{expected}"
        assert await rows(engine) == []

    async def test_sends_what_is_told_of_one_subject_each_by_itself(
        self, engine: AsyncEngine, sender_to: Callable[[Endpoint], Sender]
    ) -> None:
        endpoint = Endpoint(204)
        async with tenant_transaction(engine, "acme") as connection:
            for kind in TYPES:
                await Outbox(engine).add(connection, "acme", "alice", kind, RUN, {})
        await sender_to(endpoint).send_due()
        assert sorted(json.loads(request.content)["type"] for request in endpoint.taken) == [*TYPES]

    @pytest.mark.parametrize("status", [302, 404, 500])
    async def test_tries_again_later_with_the_same_id(
        self, engine: AsyncEngine, sender_to: Callable[[Endpoint], Sender], status: int
    ) -> None:
        endpoint = Endpoint(status, 200)
        sender = sender_to(endpoint)
        await add(engine)
        await sender.send_due()
        [row] = await rows(engine)
        assert row.due_at > datetime.now(UTC) + timedelta(seconds=2)
        await sender.send_due()
        assert len(endpoint.taken) == 1
        await change(engine, due_at=datetime.now(UTC))
        await sender.send_due()
        first, second = endpoint.taken
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert await rows(engine) == []

    @pytest.mark.parametrize(("tries", "seconds"), [(0, 5), (1, 10), (6, 320), (40, 3600)])
    async def test_waits_twice_as_long_each_time_up_to_an_hour(
        self, engine: AsyncEngine, sender_to: Callable[[Endpoint], Sender], tries: int, seconds: int
    ) -> None:
        await add(engine)
        await change(engine, tries=tries)
        before = datetime.now(UTC)
        await sender_to(Endpoint(500)).send_due()
        after = datetime.now(UTC)
        [row] = await rows(engine)
        assert row.due_at >= before + timedelta(seconds=0.8 * seconds)
        assert row.due_at <= after + timedelta(seconds=1.2 * seconds)

    async def test_is_one_of_two_that_look_at_once(
        self, engine: AsyncEngine, sender_to: Callable[[Endpoint], Sender]
    ) -> None:
        endpoint = Endpoint(200)
        one, other = sender_to(endpoint), sender_to(endpoint)
        await add(engine)
        [row] = await rows(engine)
        assert [await sender._take(row) for sender in (one, other)] == [True, False]

    async def test_gives_up_in_the_end(
        self, engine: AsyncEngine, sender_to: Callable[[Endpoint], Sender]
    ) -> None:
        await add(engine)
        await change(engine, created_at=datetime.now(UTC) - GIVE_UP_AFTER - timedelta(hours=1))
        await sender_to(Endpoint(500)).send_due()
        assert await rows(engine) == []


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"webhook_secret": None}, "GATEHOUSE_WEBHOOK_SECRET: webhooks are signed"),
        ({"webhook_secret": "whsec_short"}, "GATEHOUSE_WEBHOOK_SECRET: it is whsec_"),
    ],
)
def test_a_receiver_that_cannot_work_is_refused_at_start(settings: dict[str, Any], why: str) -> None:
    whole = {"webhook_url": "http://127.0.0.1:9/hook", "webhook_secret": SECRET, **settings}
    with pytest.raises(CannotStart, match=why):
        receiver_of(Settings(_env_file=None, **whole))


def test_a_receiver_in_production_has_tls() -> None:
    plain = Settings(_env_file=None, webhook_url="http://example.com/hook", webhook_secret=SECRET)
    assert receiver_of(plain) == Receiver("http://example.com/hook", KEY)
    production = plain.model_copy(update={"environment": "production"})
    with pytest.raises(CannotStart, match="GATEHOUSE_WEBHOOK_URL: production needs https"):
        receiver_of(production)
    secure = production.model_copy(update={"webhook_url": "https://example.com/hook"})
    assert receiver_of(secure) == Receiver("https://example.com/hook", KEY)
