"""Whether a credential still holds after it was verified, for each kind and each way to end."""

import time
from dataclasses import replace

from gatehouse.auth.api_keys.store import CreatedKey
from gatehouse.auth.authenticator import Authenticator
from gatehouse.identity.principal import Principal

TOKEN = Principal("acme", "alice", "Alice", frozenset(), "jwt", "t1")


async def signed_in(authenticator: Authenticator, principal: Principal) -> tuple[str, Principal]:
    opened = await authenticator.sessions.open(principal)
    return opened.token, opened.principal


class TestHolds:
    async def test_until_it_expires(self, authenticator: Authenticator) -> None:
        holds = authenticator.standing.credential_valid
        assert await holds(TOKEN)
        assert await holds(replace(TOKEN, expires_at=time.time() + 60))
        assert not await holds(replace(TOKEN, expires_at=time.time() - 0.01))

    async def test_of_a_token_until_it_is_revoked(self, authenticator: Authenticator) -> None:
        await authenticator.revoked.revoke("acme", "t1")
        assert not await authenticator.standing.credential_valid(TOKEN)
        assert await authenticator.standing.credential_valid(replace(TOKEN, tenant_id="beta"))

    async def test_of_a_key_until_it_is_revoked(
        self, authenticator: Authenticator, alice: CreatedKey
    ) -> None:
        principal = alice.record.principal
        assert await authenticator.standing.credential_valid(principal)
        await authenticator.api_keys.revoke(alice.record.id)
        assert not await authenticator.standing.credential_valid(principal)

    async def test_of_a_session_until_it_is_signed_out(
        self, authenticator: Authenticator, alice: CreatedKey
    ) -> None:
        token, principal = await signed_in(authenticator, alice.record.principal)
        assert await authenticator.standing.credential_valid(principal)
        await authenticator.sessions.end(token)
        assert not await authenticator.standing.credential_valid(principal)

    async def test_of_a_session_until_the_key_it_was_opened_with_is_revoked(
        self, authenticator: Authenticator, alice: CreatedKey
    ) -> None:
        _, principal = await signed_in(authenticator, alice.record.principal)
        await authenticator.api_keys.revoke(alice.record.id)
        assert not await authenticator.standing.credential_valid(principal)

    async def test_of_a_session_until_the_token_it_was_opened_with_is_revoked(
        self, authenticator: Authenticator
    ) -> None:
        _, principal = await signed_in(authenticator, TOKEN)
        assert await authenticator.standing.credential_valid(principal)
        await authenticator.revoked.revoke("acme", "t1")
        assert not await authenticator.standing.credential_valid(principal)

    async def test_of_a_session_by_the_start_link(self, authenticator: Authenticator) -> None:
        link = replace(TOKEN, credential="session", credential_id="start-link")
        _, principal = await signed_in(authenticator, link)
        assert await authenticator.standing.credential_valid(principal)
