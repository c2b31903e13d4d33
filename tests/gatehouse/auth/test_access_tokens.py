"""Verified tokens are remembered: until they expire, until their key goes, until they are revoked."""

import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt import encode
from signed_tokens import AUDIENCE, DROP, ISSUER, SECRET, good_claims, token

from gatehouse.auth.tokens.access import AccessTokens
from gatehouse.auth.tokens.issuer_keys import GivenKeys
from gatehouse.auth.tokens.jwt import JwtVerifier
from gatehouse.auth.tokens.keys import KeySet, VerificationKey, keys_from_secret
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InvalidCredential


class Counting(JwtVerifier):
    """Counts how often a token is verified indeed."""

    verified = 0

    def verify(self, token: str) -> Principal:
        self.verified += 1
        return super().verify(token)


class ChangingKeys:
    """Keys of which the test says when they change."""

    ready = True

    def __init__(self, *keys: VerificationKey) -> None:
        self.current = KeySet(keys)

    def find(self, algorithm: str, kid: str | None) -> VerificationKey | None:
        return self.current.find(algorithm, kid)

    async def look_again(self) -> bool:
        return False


def verifier_of(keys: Any) -> Counting:
    return Counting(keys, issuer=ISSUER, audience=AUDIENCE, leeway=30, max_lifetime=86_400)


def remembering(limit: int = 100) -> tuple[AccessTokens, Counting]:
    keys = GivenKeys(keys_from_secret(SECRET, ("HS256",)))
    verifier = verifier_of(keys)
    return AccessTokens(verifier, keys, limit), verifier


class TestRemembered:
    async def test_token_is_verified_once(self) -> None:
        tokens, verifier = remembering()
        text = token()
        answers = [await tokens.verify(text) for _ in range(3)]
        assert {answer.user_id for answer in answers} == {"alice"}
        assert verifier.verified == 1

    async def test_token_is_refused_when_it_expired(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tokens, verifier = remembering()
        text = token(exp=int(time.time()) + 60)
        await tokens.verify(text)
        now = time.time()
        monkeypatch.setattr("gatehouse.auth.tokens.access.time.time", lambda: now + 61)
        await tokens.verify(text)  # within the leeway, but no longer by memory
        assert verifier.verified == 2

    async def test_tokens_are_a_bounded_number_the_latest_used(self) -> None:
        tokens, verifier = remembering(limit=2)
        first, second, third = (token(jti=str(number)) for number in range(3))
        for text in (first, second, first, third):
            await tokens.verify(text)
        assert verifier.verified == 3
        await tokens.verify(first)
        assert verifier.verified == 3
        await tokens.verify(second)
        assert verifier.verified == 4

    async def test_token_is_not_its_neighbour(self) -> None:
        tokens, _ = remembering()
        text = token()
        await tokens.verify(text)
        for other in (text + "A", text[:-1], text.replace(".", "..", 1), f"{text}\ud800", text + " "):
            with pytest.raises(InvalidCredential):
                await tokens.verify(other)

    async def test_refusal_is_none(self) -> None:
        tokens, verifier = remembering()
        for _ in range(2):
            with pytest.raises(InvalidCredential):
                await tokens.verify(token(aud="other"))
        assert verifier.verified == 2


class TestForget:
    async def test_has_a_token_verified_anew_by_its_id(self) -> None:
        tokens, verifier = remembering()
        revoked, other = token(jti="revoked"), token(jti="other")
        await tokens.verify(revoked)
        await tokens.verify(other)
        tokens.forget("revoked")
        await tokens.verify(other)
        assert verifier.verified == 2
        await tokens.verify(revoked)
        assert verifier.verified == 3

    async def test_knows_a_token_without_id_by_its_fingerprint(self) -> None:
        tokens, verifier = remembering()
        text = token(jti=DROP)
        tokens.forget((await tokens.verify(text)).credential_id)
        await tokens.verify(text)
        assert verifier.verified == 2

    async def test_of_an_unknown_id_leaves_the_others(self) -> None:
        tokens, verifier = remembering()
        text = token(jti=DROP)
        await tokens.verify(text)
        tokens.forget("nobody's")
        await tokens.verify(text)
        assert verifier.verified == 1


class TestKeyChange:
    async def test_ends_what_a_removed_key_had_signed(self) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        keys = ChangingKeys(VerificationKey("ES256", private.public_key(), "one"))
        tokens = AccessTokens(verifier_of(keys), keys)
        text = encode(good_claims(), private, "ES256", {"kid": "one"})
        await tokens.verify(text)
        keys.current = KeySet(())
        with pytest.raises(InvalidCredential):
            await tokens.verify(text)
