"""Tickets and the revocation of tokens, as a client uses them."""

from typing import Any

import pytest
from auth_app import Served
from httpx import AsyncClient
from signed_tokens import token

from gatehouse.auth.api_keys.store import CreatedKey
from gatehouse.auth.authenticator import Authenticator

STREAM = "/api/chat/stream"


def bearer(**claims: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {token(**claims)}"}


async def ticket_for(client: AsyncClient, headers: dict[str, str], route: str = STREAM) -> str:
    response = await client.post("/api/tickets", json={"route": route}, headers=headers)
    assert response.status_code == 201
    assert response.headers["cache-control"] == "no-store"
    assert response.json()["expires_in"] == 30
    return str(response.json()["ticket"])


async def session_of(authenticator: Authenticator, key: CreatedKey) -> str:
    return (await authenticator.sessions.open(await authenticator.accept(key.key))).token


class TestTicket:
    async def test_stands_for_who_asked_for_it_once(self, client: AsyncClient, served: Served) -> None:
        ticket = await ticket_for(client, bearer(sub="carol"))
        answers = [await client.get(STREAM, params={"ticket": ticket, "query": "x"}) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 401]
        assert answers[0].json() == {"user": "carol", "credential": "jwt"}
        assert served.reached == ["carol"]

    async def test_does_not_reach_the_application(self, client: AsyncClient) -> None:
        ticket = await ticket_for(client, bearer())
        echo = await client.get("/api/stream", params={"ticket": ticket}, follow_redirects=False)
        assert ticket not in echo.text
        page = {"sec-fetch-mode": "navigate", "accept": "text/html"}
        refused = await client.get("/api/stream", params={"ticket": ticket, "a": "b"}, headers=page)
        assert refused.headers["location"] == "/signin?next=/api/stream%3Fa%3Db"

    async def test_works_on_its_own_route_only(self, client: AsyncClient) -> None:
        for path in ("/api/stream", "/api/chat/stream/", "/anything"):
            ticket = await ticket_for(client, bearer())
            assert (await client.get(path, params={"ticket": ticket})).status_code == 401

    async def test_beside_a_header_is_one_credential_too_many(self, client: AsyncClient) -> None:
        ticket = await ticket_for(client, bearer())
        assert (await client.get(STREAM, params={"ticket": ticket}, headers=bearer())).status_code == 400
        assert (await client.get(STREAM, params=[("ticket", ticket)] * 2)).status_code == 400

    async def test_beside_the_cookie_of_its_own_session_is_one_credential(
        self, client: AsyncClient, authenticator: Authenticator, alice: CreatedKey
    ) -> None:
        """A browser sends its cookie along, whether the page wants it or not."""
        session = {"cookie": f"gatehouse={await session_of(authenticator, alice)}"}
        page = {"sec-fetch-site": "same-origin", "content-type": "application/json"}
        ticket = await ticket_for(client, {**session, **page})
        answer = await client.get(STREAM, params={"ticket": ticket}, headers=session)
        assert answer.json() == {"user": "alice", "credential": "session"}

    async def test_beside_the_cookie_of_another_session_is_refused(
        self, client: AsyncClient, authenticator: Authenticator, alice: CreatedKey, served: Served
    ) -> None:
        session = {"cookie": f"gatehouse={await session_of(authenticator, alice)}"}
        ticket = await ticket_for(client, bearer(sub="carol"))
        assert (await client.get(STREAM, params={"ticket": ticket}, headers=session)).status_code == 400
        assert served.reached == []

    async def test_ends_with_the_credential_behind_it(
        self, client: AsyncClient, authenticator: Authenticator, alice: CreatedKey
    ) -> None:
        ticket = await ticket_for(client, {"x-api-key": alice.key})
        await authenticator.api_keys.revoke(alice.record.id)
        assert (await client.get(STREAM, params={"ticket": ticket})).status_code == 401

    async def test_for_a_route_that_takes_headers_is_refused(self, client: AsyncClient) -> None:
        response = await client.post("/api/tickets", json={"route": "/api/keys"}, headers=bearer())
        assert response.status_code == 422

    @pytest.mark.parametrize("body", [{}, {"route": 5}, {"route": "/ws/chat/", "user_id": "bob"}, []])
    async def test_is_not_made_of_nonsense(self, client: AsyncClient, body: Any) -> None:
        assert (await client.post("/api/tickets", json=body, headers=bearer())).status_code == 422


class TestTokenRevocation:
    async def test_of_ones_own_token_needs_no_scope(self, client: AsyncClient) -> None:
        own = bearer(jti="mine")
        assert (await client.get("/anything", headers=own)).status_code == 200
        response = await client.post("/api/tokens/revoke", json={"jti": "mine"}, headers=own)
        assert response.status_code == 204
        assert (await client.get("/anything", headers=own)).status_code == 401
        assert (await client.get("/anything", headers=bearer(jti="other"))).status_code == 200

    async def test_of_anothers_needs_the_scope(self, client: AsyncClient) -> None:
        response = await client.post("/api/tokens/revoke", json={"jti": "theirs"}, headers=bearer(jti="mine"))
        assert (response.status_code, response.json()["scope"]) == (403, "keys:admin")
        admin = bearer(jti="admin", scope="keys:admin")
        response = await client.post("/api/tokens/revoke", json={"jti": "theirs"}, headers=admin)
        assert response.status_code == 204
        assert (await client.get("/anything", headers=bearer(jti="theirs"))).status_code == 401

    async def test_reaches_no_other_tenant(self, client: AsyncClient) -> None:
        admin = bearer(jti="admin", scope="*")
        await client.post("/api/tokens/revoke", json={"jti": "theirs"}, headers=admin)
        foreign = bearer(jti="theirs", tenant_id="beta")
        assert (await client.get("/anything", headers=foreign)).status_code == 200

    async def test_of_a_key_of_the_same_name_is_not_ones_own(
        self, client: AsyncClient, alice: CreatedKey
    ) -> None:
        key = {"x-api-key": alice.key}
        response = await client.post("/api/tokens/revoke", json={"jti": alice.record.id}, headers=key)
        assert response.status_code == 403

    async def test_ends_the_sessions_that_it_opened(
        self, client: AsyncClient, authenticator: Authenticator
    ) -> None:
        principal = await authenticator.accept(token(jti="mine"))
        session = {"cookie": f"gatehouse={(await authenticator.sessions.open(principal)).token}"}
        assert (await client.get("/anything", headers=session)).status_code == 200
        await authenticator.revoked.revoke("acme", "mine")
        assert (await client.get("/anything", headers=session)).status_code == 401

    @pytest.mark.parametrize("jti", ["", "a\nb", "x" * 256, None])
    async def test_of_what_is_no_jti_is_refused(self, client: AsyncClient, jti: Any) -> None:
        admin = bearer(scope="*")
        response = await client.post("/api/tokens/revoke", json={"jti": jti}, headers=admin)
        assert response.status_code == 422
