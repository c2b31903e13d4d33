"""What is held of a request's body and of its answer, as the server sees it."""

from types import SimpleNamespace

from asgi_calls import request_scope, sent_by
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from gatehouse.identity.principal import Principal
from gatehouse.limits.held_bytes import HeldBytes
from gatehouse.web.middleware.held_bytes import PIECE, BoundHeldBytes
from gatehouse.web.request_state import KEY, RequestState


def scope_with(held: HeldBytes) -> Scope:
    services = SimpleNamespace(limits=SimpleNamespace(held=held))
    return request_scope(client=("192.0.2.1", 1), state={KEY: RequestState("r"), "services": services})


async def answering(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a large part and a small one, when the body was read."""
    await Request(scope, receive).body()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a" * (PIECE + 1), "more_body": True})
    await send({"type": "http.response.body", "body": b"b"})


BODY = {"type": "http.request", "body": b"x" * 11, "more_body": False}


async def test_a_large_part_of_an_answer_is_not_its_end() -> None:
    sent = await sent_by(BoundHeldBytes(answering), scope_with(HeldBytes(10)), BODY)
    assert [len(message.get("body", "")) for message in sent] == [0, PIECE, 1, 1]
    assert [message.get("more_body", False) for message in sent] == [False, True, True, False]


async def test_the_connection_of_a_body_that_is_refused_before_its_end_is_not_used_again() -> None:
    held, address = HeldBytes(10), ("", "192.0.2.1")
    held.hold(address, 6)  # of another connection
    sent = await sent_by(BoundHeldBytes(answering), scope_with(held), {**BODY, "more_body": True})
    assert sent[0]["status"] == 429
    assert (b"connection", b"close") in sent[0]["headers"]
    assert held[address] == 6


async def test_a_body_is_held_for_the_user_of_the_tenant_that_sends_it() -> None:
    held, seen = HeldBytes(100), []
    scope = scope_with(held)
    scope["state"][KEY].principal = Principal("acme", "alice", "Alice", frozenset(), "jwt", "1")

    async def reading(_scope: Scope, receive: Receive, _send: Send) -> None:
        await receive()
        seen.append(held["acme", "alice"])

    await sent_by(BoundHeldBytes(reading), scope, {**BODY, "more_body": True})
    assert seen == [11]
    assert held["acme", "alice"] == 0
