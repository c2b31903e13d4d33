"""Erasing a user over HTTP: everything of one, nothing of another, and on record."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from called_runnable import for_caller
from langchain_core.utils.uuid import uuid7
from live_app import LiveApp, Serve, bearer, serving
from probe_runnables import Endless, probes
from sqlalchemy import select

from gatehouse.audit.table import audit_log
from gatehouse.identity.principal import Principal
from gatehouse.ledger.effect import Call
from gatehouse.ledger.store import EffectStore
from gatehouse.migrations.target import TARGET
from gatehouse.runs.records import RunRecord
from gatehouse.runs.sources.steps import Asked
from gatehouse.storage.tenancy import tenant_transaction
from gatehouse.store.items import CallersStore
from gatehouse.usage import bookkeeping
from gatehouse.webhooks.outbox import Outbox

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
USER_TABLES = [
    table for table in TARGET.sorted_tables if "user_id" in table.columns and table is not audit_log
]


@pytest.fixture
def live(serve: Serve) -> LiveApp:
    return serve("/chat", "/endless")


def filled(live: LiveApp, user: str, tenant: str) -> dict[str, str]:
    """Leave something of a user in every place there is; return their API key and session."""
    key = live.api_key(user, tenant)
    with live.client({"x-api-key": key}) as client:
        answer = client.post("/api/chat", json={"query": "[say hello]"}).json()
        client.put(f"/api/feedback/{answer['run_id']}", json={"score": "up"}).raise_for_status()
        client.post("/api/attachments", files={"file": ("a.png", PNG)}).raise_for_status()
        client.post("/api/chat", json={"query": "[say again]", "thread_id": answer["thread_id"]})
    call = Call(tenant, user, answer["run_id"], 1, "transfer", {"amount": 5}, "call-1")
    live.run(EffectStore(live.services.engine).claim(call))
    caller = Principal(tenant, user, user.title(), frozenset("*"), "jwt", "t")
    asks = RunRecord(
        str(uuid7()), caller, "/agent", {}, answer["thread_id"], time.time(), time.time() + 60, 30
    )
    live.run(live.services.approvals.open(asks, [Asked("i", "Which account?")]))
    live.run(told_of(live, tenant, user))
    live.run(remember(live, tenant, user))
    with live.client({}) as browser:
        browser.post("/auth/session", json={"credential": key}).raise_for_status()
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    return {"key": key, "cookie": cookie, **answer}


async def told_of(live: LiveApp, tenant: str, user: str) -> None:
    """Leave a webhook that nobody has taken."""
    async with tenant_transaction(live.services.engine, tenant) as connection:
        about = {"user_id": user}
        await Outbox(live.services.engine).add(
            connection, tenant, user, "run.ended", f"{tenant} {user}", about
        )


async def remember(live: LiveApp, tenant: str, user: str) -> None:
    """Leave an item in LangGraph's store."""
    store = CallersStore(live.services.engine)
    await for_caller(store, lambda store: store.aput(("notes",), "name", {}), tenant, user)


def rows_of(live: LiveApp, user: str, tenant: str) -> dict[str, int]:
    async def count() -> dict[str, int]:
        async with live.services.engine.connect() as connection:
            return {
                table.name: len(
                    (
                        await connection.execute(
                            select(table.c.user_id).where(
                                table.c.tenant_id == tenant, table.c.user_id == user
                            )
                        )
                    ).all()
                )
                for table in USER_TABLES
            }

    return live.run(count())


def in_redis(live: LiveApp, user: str) -> list[bytes]:
    """Return the keys in Redis whose values name the user."""

    async def found() -> list[bytes]:
        redis = live.services.redis
        names = []
        async for key in redis.scan_iter():
            kind = await redis.type(key)
            value: Any = await redis.get(key) if kind == b"string" else None
            if kind == b"hash":
                value = repr(await redis.hgetall(key)).encode()
            if value and f'"user_id":"{user}"'.encode() in value.replace(b" ", b""):
                names.append(key)
        return names

    return live.run(found())


def erase(live: LiveApp, user: str, tenant: str = "acme", **headers: Any) -> httpx.Response:
    with live.client(bearer("admin", tenant, **headers)) as admin:
        return admin.delete(f"/api/users/{user}")


def test_erases_everything_of_the_user_and_nothing_of_others(live: LiveApp) -> None:
    alice, bob = filled(live, "alice", "acme"), filled(live, "bob", "acme")
    namesake = filled(live, "alice", "beta")
    for user, tenant in (("alice", "acme"), ("bob", "acme"), ("alice", "beta")):
        live.eventually(lambda whose=(user, tenant): rows_of(live, *whose)["usage"] == 2)
        # the one that waits comes back to a Redis that does not know it
        live.eventually(lambda whose=(tenant, user): len(live.run(live.services.runs.runs_of(*whose))) == 3)
    others = rows_of(live, "bob", "acme"), rows_of(live, "alice", "beta")
    assert all(rows_of(live, "alice", "acme").values()), "something of alice is in every table"

    response = erase(live, "alice")
    assert response.status_code == 200, response.text
    assert response.json() == {
        "api_keys": 1, "sessions": 1, "runs": 3, "threads": 1, "messages": 5, "attachments": 1, "approvals": 1,
        "feedback": 1, "effects": 1, "store_items": 1, "usage": 3,
    }  # fmt: skip
    assert not any(rows_of(live, "alice", "acme").values())
    assert (rows_of(live, "bob", "acme"), rows_of(live, "alice", "beta")) == others
    left = [key for key in in_redis(live, "alice") if b"session" in key or b":run" in key]
    assert len(left) == 4  # the namesake's session and three runs
    with live.client({"x-api-key": bob["key"]}) as client:
        assert client.get(f"/api/runs/{bob['run_id']}").status_code == 200
    with live.client({"x-api-key": namesake["key"]}) as client:
        assert client.get(f"/api/threads/{namesake['thread_id']}").status_code == 200
    with live.client({"cookie": alice["cookie"]}) as client:
        live.eventually(lambda: client.get("/api/me").status_code == 401)
    with live.client({"x-api-key": alice["key"]}) as client:
        live.eventually(lambda: client.get("/api/me").status_code == 401)


def test_stops_what_goes_on(live: LiveApp) -> None:
    async def begin() -> str:
        principal = Principal("acme", "alice", "Alice", frozenset("*"), "jwt", "a-token")
        run = await live.services.runs.start(principal, "/endless", {"input": "x"}, new_thread=True, grace=60)
        return run.run.id

    run_id = live.run(begin())
    assert live.running(run_id)
    assert erase(live, "alice").json()["runs"] == 1
    live.eventually(lambda: not live.running(run_id))
    assert not any(rows_of(live, "alice", "acme")[name] for name in ("threads", "messages", "usage"))


def test_the_tenant_s_books_keep_their_sums(live: LiveApp) -> None:
    filled(live, "alice", "acme")
    live.eventually(lambda: rows_of(live, "alice", "acme")["usage"] == 2)
    with live.client(bearer("admin")) as admin:
        before = admin.get("/api/usage?of=tenant").text.replace('"user_id":"alice"', '"user_id":""')
        erase(live, "alice").raise_for_status()
        after = admin.get("/api/usage?of=tenant").text
    assert '"runs":2' in after
    assert after == before


def test_leaves_nothing_that_would_name_the_user_in_the_books_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookkeeping, "PAUSE", 3600)  # what runs have used waits in Redis
    with serving(tmp_path, probes(Endless())) as live:
        filled(live, "alice", "acme")
        assert erase(live, "alice").json()["usage"] == 2
        assert erase(live, "alice").json()["usage"] == 0  # nothing came after it
        assert rows_of(live, "alice", "acme")["usage"] == 0


def test_is_on_record(live: LiveApp) -> None:
    erase(live, "carol%2Fof%20sales|1").raise_for_status()
    with live.client(bearer("admin")) as admin:
        [row] = admin.get("/api/audit?action=user.erase").json()["items"]
    assert (row["subject"], row["user_id"], row["outcome"]) == ("carol/of sales|1", "admin", "ok")


@pytest.mark.parametrize("scopes", [["runnable:agent"], ["keys:admin"], []])
def test_wants_its_scope(live: LiveApp, scopes: list[str]) -> None:
    refused = erase(live, "alice", scopes=scopes)
    assert (refused.status_code, refused.json()["scope"]) == (403, "users:erase")


def test_reaches_no_other_tenant(live: LiveApp) -> None:
    filled(live, "alice", "acme")
    assert erase(live, "alice", "beta").json()["threads"] == 0
    assert rows_of(live, "alice", "acme")["threads"] == 1
