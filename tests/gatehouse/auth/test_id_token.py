"""The issuer's words to its client: who signed in, who signed out."""

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from signed_tokens import DROP, ISSUER

from gatehouse.auth.oidc.id_token import LOGOUT_EVENT, ClientTokens, LogoutToken
from gatehouse.auth.tokens.issuer_keys import GivenKeys
from gatehouse.auth.tokens.keys import KeySet, VerificationKey
from gatehouse.problems.errors import InvalidCredential

CLIENT = "web"
NONCE = "the nonce of this sign-in"
KEY = ec.generate_private_key(ec.SECP256R1())
TOKENS = ClientTokens(
    GivenKeys(KeySet((VerificationKey("ES256", KEY.public_key(), "one"),))),
    issuer=ISSUER,
    client_id=CLIENT,
    leeway=30,
    max_lifetime=86_400,
)


def signed(claims: dict[str, Any], **header: Any) -> str:
    kept = {name: value for name, value in claims.items() if value is not DROP}
    heads = {"kid": "one", **header}
    return jwt.encode(kept, KEY, "ES256", {name: value for name, value in heads.items() if value is not DROP})


def id_token(typ: Any = "JWT", **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": CLIENT, "sub": "alice", "iat": now, "exp": now + 300, "nonce": NONCE}
    return signed({**claims, "sid": "session-1", **changes}, typ=typ)


def logout_token(typ: Any = "logout+jwt", **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": CLIENT, "sub": "alice", "sid": "session-1", "iat": now, "exp": now + 120}
    return signed({**claims, "jti": "logout-1", "events": {LOGOUT_EVENT: {}}, **changes}, typ=typ)


class TestSignedIn:
    async def test_says_who_and_in_which_session(self) -> None:
        token = await TOKENS.signed_in(id_token(), NONCE)
        assert (token.sub, token.sid) == ("alice", "session-1")
        assert time.time() - token.issued < 60
        assert "eyJ" not in repr(token)

    @pytest.mark.parametrize(
        "changes",
        [{"sid": DROP}, {"azp": CLIENT}, {"aud": [CLIENT]}, {"aud": [CLIENT, "api"], "azp": CLIENT},
         {"at_hash": "h"}, {"typ": "ID"}],

    )  # fmt: skip
    async def test_takes_what_issuers_add_and_leave_out(self, changes: dict[str, Any]) -> None:
        claims = dict(changes)
        token = id_token() if "typ" in changes else id_token(**claims)
        assert (await TOKENS.signed_in(token, NONCE)).sub == "alice"

    @pytest.mark.parametrize(
        "changes",
        [{"iss": ISSUER + "/"}, {"iss": DROP}, {"aud": "api"}, {"aud": []}, {"aud": DROP},
         {"aud": [CLIENT, "api"]}, {"azp": "other"}, {"aud": [CLIENT, "api"], "azp": "api"}, {"azp": ""},
         {"nonce": "another"}, {"nonce": NONCE[:8]}, {"nonce": NONCE[:-1] + "?"}, {"nonce": NONCE + " "},
         {"nonce": NONCE.upper()}, {"nonce": DROP}, {"nonce": None}, {"nonce": [NONCE]}, {"nonce": ""},
         {"sub": ""}, {"sub": DROP}, {"sub": "a\nb"}, {"sid": ""}, {"sid": 5},
         {"exp": 1}, {"exp": DROP}, {"exp": None}, {"iat": DROP}, {"iat": time.time() + 3600}],

    )  # fmt: skip
    async def test_refuses_what_was_not_said_of_this_sign_in(self, changes: dict[str, Any]) -> None:
        with pytest.raises(InvalidCredential):
            await TOKENS.signed_in(id_token(**changes), NONCE)

    @pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "JOSE", 5])
    async def test_refuses_another_type_of_token(self, typ: Any) -> None:
        with pytest.raises(InvalidCredential):
            await TOKENS.signed_in(id_token(typ), NONCE)

    @pytest.mark.parametrize("text", ["", "a.b.c", id_token()[:-4] + "AAAA", "x" * 9000])
    async def test_refuses_what_the_issuer_did_not_sign(self, text: str) -> None:
        with pytest.raises(InvalidCredential):
            await TOKENS.signed_in(text, NONCE)

    async def test_refuses_none_and_hmac_though_it_came_from_the_issuer_itself(self) -> None:
        claims = {"iss": ISSUER, "aud": CLIENT, "sub": "alice", "iat": 1, "exp": 9e9, "nonce": NONCE}
        for forged in (jwt.encode(claims, "", "none"), jwt.encode(claims, "s" * 64, "HS256")):
            with pytest.raises(InvalidCredential):
                await TOKENS.signed_in(forged, NONCE)


class TestSignedOut:
    async def test_says_who_and_which_session(self) -> None:
        token = await TOKENS.signed_out(logout_token())
        assert (token.jti, token.sub, token.sid) == ("logout-1", "alice", "session-1")

    @pytest.mark.parametrize(
        ("changes", "named"),
        [({"sid": DROP}, ("alice", None)), ({"sub": DROP}, (None, "session-1"))],
        ids=["sub only", "sid only"],
    )
    async def test_names_one_of_both_at_least(
        self, changes: dict[str, Any], named: tuple[str | None, str | None]
    ) -> None:
        token = await TOKENS.signed_out(logout_token(**changes))
        assert (token.sub, token.sid) == named

    @pytest.mark.parametrize("typ", ["logout+jwt", "application/logout+jwt", "JWT", DROP])
    async def test_takes_the_types_in_use(self, typ: Any) -> None:
        assert isinstance(await TOKENS.signed_out(logout_token(typ)), LogoutToken)

    @pytest.mark.parametrize(
        "changes",
        [{"events": DROP}, {"events": {}}, {"events": [LOGOUT_EVENT]}, {"events": {LOGOUT_EVENT: None}},
         {"events": {"urn:other": {}}}, {"nonce": "n"}, {"sub": DROP, "sid": DROP}, {"sub": ""},
         {"sid": ["session-1"]}, {"jti": DROP}, {"jti": ""}, {"iss": "https://evil.example"}, {"aud": "other"},
         {"exp": 1}, {"exp": DROP}, {"exp": time.time() + 200_000}, {"iat": DROP}],

    )  # fmt: skip
    async def test_refuses_what_is_no_logout_token(self, changes: dict[str, Any]) -> None:
        with pytest.raises(InvalidCredential):
            await TOKENS.signed_out(logout_token(**changes))

    async def test_refuses_an_id_token(self) -> None:
        with pytest.raises(InvalidCredential):
            await TOKENS.signed_out(id_token())


GOOD = logout_token(exp=int(time.time()) + 36_000)  # made when the tests are collected


class TestMutatedToken:
    @given(position=st.integers(0, len(GOOD) - 1), replacement=st.characters())
    async def test_is_refused(self, position: int, replacement: str) -> None:
        mutated = GOOD[:position] + replacement + GOOD[position + 1 :]
        if mutated != GOOD:
            with pytest.raises(InvalidCredential):
                await TOKENS.signed_out(mutated)
