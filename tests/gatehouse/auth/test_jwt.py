import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from jws_signing import ORDERS
from signed_tokens import AUDIENCE, DROP, HEADER, ISSUER, SECRET, encode, good_claims, signed, token, with_raw
from structlog.testing import capture_logs

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.tokens.claim_names import ClaimName, ClaimNames
from gatehouse.auth.tokens.jwt import JwtVerifier
from gatehouse.auth.tokens.keys import KeySet, keys_from_secret, verification_key
from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InvalidCredential

RSA_KEY = rsa.generate_private_key(65537, 2048)
OTHER_RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def verifier_of(keys: KeySet, **changes: Any) -> JwtVerifier:
    return JwtVerifier(
        keys, **{"issuer": ISSUER, "audience": AUDIENCE, "leeway": 30, "max_lifetime": 86_400, **changes}
    )


def public(*keys: tuple[Any, str | None]) -> KeySet:
    return KeySet(tuple(verification_key(key.public_key(), kid, "the test") for key, kid in keys))


VERIFIER = verifier_of(
    keys_from_secret(SECRET, ("HS256",)),
    names=ClaimNames(further={"portfolio_id": ClaimName(("portfolio_id",))}),
)


def refused(text: str, verifier: JwtVerifier = VERIFIER) -> bool:
    try:
        verifier.verify(text)
    except InvalidCredential:
        return True
    return False


class TestPrincipal:
    def test_is_made_from_the_claims(self) -> None:
        claims = good_claims(portfolio_id="acme-alice-1")
        assert VERIFIER.verify(signed(HEADER, claims)) == Principal(
            tenant_id="acme",
            user_id="alice",
            name="Alice Martin",
            scopes=frozenset({"runnable:chat", "runnable:agent"}),
            credential="jwt",
            credential_id="token-1",
            expires_at=float(claims["exp"]),
            claims={"portfolio_id": "acme-alice-1"},
        )

    def test_has_no_claims_beyond_those_that_are_known(self) -> None:
        assert VERIFIER.verify(token(user_id="mallory", __call="x", role="admin")).claims == {}

    @pytest.mark.parametrize(
        ("changes", "scopes"),
        [
            ({"scope": DROP}, set()),
            ({"scope": "  a   b "}, {"a", "b"}),
            ({"scope": DROP, "scopes": ["a", "b", ""]}, {"a", "b"}),
            ({"scope": "a", "scopes": ["b"]}, {"a", "b"}),
            ({"scope": ["a"], "scopes": "b c"}, {"a", "b", "c"}),
            ({"scope": None, "scopes": None}, set()),
        ],
    )
    def test_has_the_scopes_of_either_claim(self, changes: dict[str, Any], scopes: set[str]) -> None:
        assert VERIFIER.verify(token(**changes)).scopes == scopes

    def test_without_jti_is_named_by_the_token_itself(self) -> None:
        one, other = token(jti=DROP), token(jti=DROP, name="Alice M.")
        ids = {VERIFIER.verify(text).credential_id for text in (one, one, other)}
        assert len(ids) == 2

    def test_without_jti_is_one_for_every_signature_of_its_token(self) -> None:
        """Anybody makes a second signature out of one on a curve: the token was revoked with the first."""
        content = f"{encode(json.dumps({'alg': 'ES256'}).encode())}.{encode(json.dumps(good_claims(jti=DROP)).encode())}"
        r, s = decode_dss_signature(EC_KEY.sign(content.encode(), ec.ECDSA(SHA256())))
        signatures = (r.to_bytes(32) + number.to_bytes(32) for number in (s, ORDERS["ES256"] - s))
        verifier = verifier_of(public((EC_KEY, None)))
        found = [verifier.verify(f"{content}.{encode(signature)}") for signature in signatures]
        assert found[0].credential_id == found[1].credential_id

    @pytest.mark.parametrize(("name", "shown"), [(DROP, ""), (7, ""), ("A\x00l\u202eice", "Alice")])
    def test_has_a_name_that_can_be_shown(self, name: object, shown: str) -> None:
        assert VERIFIER.verify(token(name=name)).name == shown


class TestHeader:
    @pytest.mark.parametrize("typ", [DROP, "JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"])
    def test_of_an_access_token_is_accepted(self, typ: object) -> None:
        assert VERIFIER.verify(token({"typ": typ})).user_id == "alice"

    @pytest.mark.parametrize("typ", ["id+jwt", "logout+jwt", "dpop+jwt", "JOSE", "", None, 1, ["JWT"]])
    def test_of_another_type_is_refused(self, typ: object) -> None:
        assert refused(token({"typ": typ}))

    @pytest.mark.parametrize(
        "alg",
        ["none", "None", "NONE", "nOnE", "", DROP, None, True, ["HS256"], {"alg": "HS256"}, "hs256", "HS384",
         "RS256", "HS256 "],
    )  # fmt: skip
    def test_with_another_alg_is_refused(self, alg: object) -> None:
        assert refused(token({"alg": alg}))

    @pytest.mark.parametrize("alg", ["none", "None", "NONE", "nonE"])
    def test_without_a_signature_is_refused(self, alg: str) -> None:
        content = token({"alg": alg}).rsplit(".", 1)[0]
        assert refused(f"{content}.")
        assert refused(content)

    @pytest.mark.parametrize(
        "extra",
        [
            {"crit": ["exp"]}, {"crit": []}, {"crit": ["b64"], "b64": True}, {"b64": True}, {"b64": False},
            {"jku": "https://evil.example/jwks"}, {"x5u": "https://evil.example/cert"}, {"x5c": ["MII"]},
            {"jwk": {"kty": "oct", "k": "c2VjcmV0"}}, {"enc": "A256GCM"}, {"zip": "DEF"}, {"cty": "JWT"},
        ],
        ids=lambda extra: next(iter(extra)),
    )  # fmt: skip
    def test_that_asks_for_an_extension_or_brings_a_key_is_refused(self, extra: dict[str, Any]) -> None:
        assert refused(token(extra))

    @pytest.mark.parametrize("kid", [["a"], {"a": 1}, 5, None, True])
    def test_with_a_kid_that_is_no_string_is_refused(self, kid: object) -> None:
        assert refused(token({"kid": kid}))

    @pytest.mark.parametrize("header", ["[]", "1", "null", '"HS256"', "{", "", "\x00"])
    def test_that_is_no_object_is_refused(self, header: str) -> None:
        assert refused(signed(header, good_claims()))


class TestClaims:
    @pytest.mark.parametrize("claim", ["iss", "aud", "sub", "exp", "iat", "tenant_id"])
    @pytest.mark.parametrize(
        "value", [DROP, None, [], {}, "", True], ids=["missing", "null", "list", "object", "empty", "true"]
    )
    def test_that_are_required_are_of_the_right_kind(self, claim: str, value: object) -> None:
        assert refused(token(**{claim: value}))

    @pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
    @pytest.mark.parametrize(
        "literal",
        ["NaN", "Infinity", "-Infinity", "1e400", "1" + "0" * 400, "-1", "true", "null", '"soon"', "[]", "{}",
         pytest.param(f'"{int(time.time())}"', id="the right time as a string")],
    )  # fmt: skip
    def test_that_are_dates_are_finite_numbers(self, claim: str, literal: str) -> None:
        assert refused(with_raw(claim, literal))

    @pytest.mark.parametrize("seconds", [600.5, 600])
    def test_that_are_dates_may_have_fractions(self, seconds: float) -> None:
        expires = int(time.time()) + seconds
        assert VERIFIER.verify(token(exp=expires)).expires_at == expires

    @pytest.mark.parametrize(
        "seconds",
        [{"exp": -31}, {"nbf": 60}, {"iat": 60, "exp": 120}],
        ids=["expired", "not before", "issued in the future"],
    )
    def test_that_are_not_of_this_time_are_refused(self, seconds: dict[str, float]) -> None:
        now = time.time()
        assert refused(token(**{claim: now + offset for claim, offset in seconds.items()}))

    def test_that_are_off_by_less_than_the_leeway_are_accepted(self) -> None:
        now = time.time()
        assert VERIFIER.verify(token(iat=now + 20, nbf=now + 20)).user_id == "alice"
        assert VERIFIER.verify(token(exp=now - 10)).user_id == "alice"

    def test_with_a_ten_year_lifetime_are_refused(self) -> None:
        now = int(time.time())
        assert refused(token(exp=now + 10 * 365 * 86_400))
        assert refused(token(iat=now - 86_400, exp=now + 1))

    @pytest.mark.parametrize("aud", [AUDIENCE, [AUDIENCE], ["other", AUDIENCE]])
    def test_with_our_audience_are_accepted(self, aud: object) -> None:
        assert VERIFIER.verify(token(aud=aud)).user_id == "alice"

    @pytest.mark.parametrize(
        "aud", ["other", ["other"], [], "Gatehouse", [AUDIENCE, 5], {AUDIENCE: 1}, "gate"]
    )
    def test_with_another_audience_are_refused(self, aud: object) -> None:
        assert refused(token(aud=aud))

    @pytest.mark.parametrize("iss", [ISSUER + "/", ISSUER.upper(), "https://issuer.example.evil", [ISSUER]])
    def test_of_another_issuer_are_refused(self, iss: object) -> None:
        assert refused(token(iss=iss))

    @pytest.mark.parametrize("claim", ["sub", "tenant_id", "jti", "portfolio_id"])
    @pytest.mark.parametrize(
        "value",
        ["", "a" * 256, "al\nice", "al\x00ice", "al\u202eice", "\ud800", 7, ["alice"]],
        ids=["empty", "long", "newline", "nul", "bidi", "surrogate", "number", "list"],
    )
    def test_that_name_something_are_printable(self, claim: str, value: object) -> None:
        assert refused(token(**{claim: value}))

    def test_with_a_sub_of_255_characters_are_accepted(self) -> None:
        assert VERIFIER.verify(token(sub="ü" * 255)).user_id == "ü" * 255

    @pytest.mark.parametrize(
        "changes", [{"scope": [["a"]]}, {"scope": 1}, {"scopes": {"a": 1}}, {"scopes": ["a", 1]}]
    )
    def test_with_scopes_of_another_shape_are_refused(self, changes: dict[str, Any]) -> None:
        assert refused(token(**changes))

    @pytest.mark.parametrize(
        "changes",
        [{"nonce": "n"}, {"at_hash": "h"}, {"c_hash": "h"}, {"s_hash": "h"}, {"token_use": "id"},
         {"typ": "ID"}, {"typ": "Refresh"}, {"typ": "Offline"}, {"typ": "Logout"}, {"events": {}}],
    )  # fmt: skip
    def test_of_another_kind_of_token_are_refused(self, changes: dict[str, Any]) -> None:
        assert refused(token(**changes))

    @pytest.mark.parametrize("payload", ["[]", "1", "null", "{", "[" * 3000, '{"iss": "\xff"', '"text"'])
    def test_that_are_no_object_are_refused(self, payload: str) -> None:
        assert refused(signed(HEADER, payload))


class TestForm:
    def test_of_8_kb_is_the_longest(self) -> None:
        longest = next(text for size in range(8000) if len(text := token(pad="x" * (5400 + size))) >= 8190)
        assert VERIFIER.verify(longest).user_id == "alice"
        assert refused(token(pad="x" * 7000))

    @pytest.mark.parametrize(
        "text", ["", ".", "..", "...", "a.b.c", "a.b.c.d.e", "Bearer x", "é.é.é", "\ud800.a.b"]
    )
    def test_that_is_no_signed_token_is_refused(self, text: str) -> None:
        assert refused(text)

    def test_of_an_encrypted_or_nested_token_is_refused(self) -> None:
        inner = token()
        assert refused(f"{inner}.a.b")
        assert refused(signed({**HEADER, "cty": "JWT"}, json.dumps(inner)))

    def test_with_another_secret_is_refused(self) -> None:
        assert refused(signed(HEADER, good_claims(), secret=b"another secret of more than 32 bytes"))


class TestFailureOfTheParser:
    @pytest.mark.parametrize("error", [RuntimeError, RecursionError, MemoryError, OverflowError, KeyError])
    @pytest.mark.parametrize("function", ["get_unverified_header", "decode"])
    def test_is_a_bad_token_and_no_fault_of_the_server(
        self, monkeypatch: pytest.MonkeyPatch, function: str, error: type[Exception]
    ) -> None:
        def fail(*_arguments: object, **_options: object) -> None:
            raise error

        monkeypatch.setattr(jwt, function, fail)
        assert refused(token())


class TestAsymmetricKeys:
    @pytest.mark.parametrize(
        ("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256"), (ED_KEY, "EdDSA")],
        ids=["RS256", "ES256", "EdDSA"],
    )  # fmt: skip
    def test_verify_their_tokens(self, key: Any, algorithm: str) -> None:
        text = jwt.encode(good_claims(), key, algorithm)
        assert verifier_of(public((key, None))).verify(text).user_id == "alice"

    def test_of_another_pair_are_refused(self) -> None:
        assert refused(
            jwt.encode(good_claims(), OTHER_RSA_KEY, "RS256"), verifier_of(public((RSA_KEY, None)))
        )

    @pytest.mark.parametrize("form", ["PEM", "DER", "JWK"])
    @pytest.mark.parametrize("kid", [None, "a"])
    def test_are_no_hmac_secret(self, form: str, kid: str | None) -> None:
        key = RSA_KEY.public_key()
        secret = {
            "PEM": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "DER": key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "JWK": jwt.algorithms.RSAAlgorithm.to_jwk(key).encode(),
        }[form]
        header = {**HEADER, **({"kid": kid} if kid else {})}
        assert refused(signed(header, good_claims(), secret), verifier_of(public((RSA_KEY, "a"))))

    def test_are_told_apart_by_kid(self) -> None:
        verifier = verifier_of(public((RSA_KEY, "old"), (OTHER_RSA_KEY, "new"), (EC_KEY, "ec")))
        assert verifier.verify(jwt.encode(good_claims(), RSA_KEY, "RS256", {"kid": "old"})).user_id == "alice"
        assert (
            verifier.verify(jwt.encode(good_claims(), OTHER_RSA_KEY, "RS256", {"kid": "new"})).user_id
            == "alice"
        )
        assert refused(jwt.encode(good_claims(), RSA_KEY, "RS256", {"kid": "new"}), verifier)

    def test_without_kid_verify_only_when_one_fits(self) -> None:
        verifier = verifier_of(public((RSA_KEY, "old"), (OTHER_RSA_KEY, "new"), (EC_KEY, "ec")))
        assert verifier.verify(jwt.encode(good_claims(), EC_KEY, "ES256")).user_id == "alice"
        assert refused(jwt.encode(good_claims(), RSA_KEY, "RS256"), verifier)

    @pytest.mark.parametrize("kid", ["other", "../../../etc/passwd", "' OR 1=1 --", "", "k" * 6000])
    def test_with_an_unknown_kid_are_refused(self, kid: str) -> None:
        text = jwt.encode(good_claims(), RSA_KEY, "RS256", {"kid": kid})
        assert refused(text, verifier_of(public((RSA_KEY, "mine"))))

    def test_do_not_take_the_algorithm_of_the_token(self) -> None:
        text = jwt.encode(good_claims(), RSA_KEY, "RS512", {"kid": "mine"})
        assert refused(text, verifier_of(public((RSA_KEY, "mine"))))


class TestVerifier:
    @pytest.mark.parametrize("empty", ["issuer", "audience"])
    def test_needs_an_issuer_and_an_audience(self, empty: str) -> None:
        with pytest.raises(BadConfiguration, match=empty.upper()):
            verifier_of(KeySet(()), **{empty: ""})


HOURS: dict[str, Any] = {"exp": int(time.time()) + 36_000}  # for what is made when the tests are collected
GOOD = token(**HOURS)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


class TestMutatedToken:
    """Nothing but InvalidCredential comes out of a token that was tampered with."""

    @given(position=st.integers(0, len(GOOD) - 1), replacement=st.characters())
    def test_with_one_other_character_is_refused(self, position: int, replacement: str) -> None:
        mutated = GOOD[:position] + replacement + GOOD[position + 1 :]
        assert mutated == GOOD or refused(mutated)

    @given(start=st.integers(0, len(GOOD)), end=st.integers(0, len(GOOD)), inserted=st.text(max_size=8))
    def test_with_a_part_cut_out_or_put_in_is_refused(self, start: int, end: int, inserted: str) -> None:
        mutated = GOOD[: min(start, end)] + inserted + GOOD[max(start, end) :]
        assert mutated == GOOD or refused(mutated)

    @given(st.text() | st.binary().map(lambda noise: base64.urlsafe_b64encode(noise).decode()))
    def test_of_noise_is_refused(self, noise: str) -> None:
        assert refused(noise)
        assert refused(f"{noise}.{noise}.{noise}")

    @given(
        payload=st.dictionaries(st.sampled_from(["iss", "aud", "sub", "exp", "iat", "x"]), json_values)
        | json_values
    )
    def test_with_any_signed_json_is_refused(self, payload: Any) -> None:
        assert refused(signed(HEADER, json.dumps(payload)))

    @given(name=st.sampled_from(["alg", "typ", "kid", "crit", "b64"]), value=json_values)
    def test_with_any_header_never_fails_otherwise(self, name: str, value: Any) -> None:
        text = token({name: value})
        harmless = name == "kid" and isinstance(value, str)
        assert harmless or refused(text)

    @given(
        name=st.sampled_from(["exp", "iat", "nbf", "aud", "sub", "scope", "jti", "name"]), value=json_values
    )
    def test_with_any_claim_never_fails_otherwise(self, name: str, value: Any) -> None:
        refused(token(**{name: value}))


def segments(text: str) -> list[bytes]:
    return [jwt.utils.base64url_decode(part) for part in text.split(".")]


def joined(parts: list[bytes]) -> str:
    return ".".join(encode(part) for part in parts)


ASYMMETRIC: list[tuple[Any, str]] = [(RSA_KEY, "RS256"), (EC_KEY, "ES256"), (ED_KEY, "EdDSA")]
PUBLIC = verifier_of(public((RSA_KEY, "RS256"), (EC_KEY, "ES256"), (ED_KEY, "EdDSA")))
SIGNED = {
    alg: jwt.encode(good_claims(**HOURS), key, alg, {"kid": alg, "typ": "at+jwt"}) for key, alg in ASYMMETRIC
}
algorithms = st.sampled_from(sorted(SIGNED))


class TestMutatedAsymmetricToken:
    """The same of tokens that the issuer signed with a key of its own, taken apart and put together again."""

    @pytest.mark.parametrize("algorithm", sorted(SIGNED))
    def test_without_a_mutation_is_accepted(self, algorithm: str) -> None:
        assert not refused(joined(segments(SIGNED[algorithm])), PUBLIC)

    @given(algorithm=algorithms, part=st.integers(0, 2), bit=st.integers(0, 10_000))
    def test_with_a_flipped_bit_in_any_part_is_refused(self, algorithm: str, part: int, bit: int) -> None:
        parts = segments(SIGNED[algorithm])
        changed = bytearray(parts[part])
        changed[bit // 8 % len(changed)] ^= 1 << bit % 8
        parts[part] = bytes(changed)
        assert refused(joined(parts), PUBLIC)

    @given(algorithm=algorithms, signature=st.binary(max_size=600))
    def test_with_another_signature_is_refused(self, algorithm: str, signature: bytes) -> None:
        assert refused(joined([*segments(SIGNED[algorithm])[:2], signature]), PUBLIC)

    @given(
        algorithm=algorithms, name=st.text(max_size=8) | st.sampled_from(["alg", "kid"]), value=json_values
    )
    def test_with_a_changed_header_is_refused(self, algorithm: str, name: str, value: Any) -> None:
        head, *rest = segments(SIGNED[algorithm])
        changed = json.dumps({**json.loads(head), name: value}).encode()
        assert changed == head or refused(joined([changed, *rest]), PUBLIC)

    @given(algorithm=algorithms, name=st.sampled_from(["sub", "scope", "exp", "x"]), value=json_values)
    def test_with_a_changed_payload_is_refused(self, algorithm: str, name: str, value: Any) -> None:
        head, payload, signature = segments(SIGNED[algorithm])
        changed = json.dumps({**json.loads(payload), name: value}).encode()
        assert changed == payload or refused(joined([head, changed, signature]), PUBLIC)

    @given(first=algorithms, second=algorithms, order=st.permutations([0, 1, 2]))
    def test_of_parts_of_several_tokens_is_refused(self, first: str, second: str, order: list[int]) -> None:
        mixed = [segments(SIGNED[first])[0], *segments(SIGNED[second])[1:]]
        shuffled = [mixed[index] for index in order]
        assert (first == second and order == [0, 1, 2]) or refused(joined(shuffled), PUBLIC)


RSA_NAMES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
CURVES = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
PRIVATE: dict[str, Any] = {
    **dict.fromkeys(RSA_NAMES, RSA_KEY),
    **{name: ec.generate_private_key(curve) for name, curve in CURVES.items()},
    "EdDSA": ED_KEY,
}


class TestAlgorithms:
    """A key verifies the algorithm that it is bound to, whatever else it could."""

    @pytest.mark.parametrize("bound", PRIVATE)
    def test_of_a_key_are_one(self, bound: str) -> None:
        keys = KeySet((verification_key(PRIVATE[bound].public_key(), None, "the test", bound),))
        verifier = verifier_of(keys)
        taken = [
            alg
            for alg, private in PRIVATE.items()
            if not refused(jwt.encode(good_claims(), private, alg, {"typ": "at+jwt"}), verifier)
        ]
        assert taken == [bound]

    @pytest.mark.parametrize("alg", [name for name in PRIVATE if name != "EdDSA"])
    def test_with_a_signature_of_another_length_are_refused(self, alg: str) -> None:
        keys = KeySet((verification_key(PRIVATE[alg].public_key(), None, "the test", alg),))
        text = jwt.encode(good_claims(), PRIVATE[alg], alg, {"typ": "at+jwt"})
        head, payload, signature = text.split(".")
        raw = base64.urlsafe_b64decode(signature + "==")
        for forged in (
            raw[:-1],
            raw + b"\0",
            b"\0" * len(raw),
            b"",
            raw[len(raw) // 2 :] + raw[: len(raw) // 2],
        ):
            assert refused(f"{head}.{payload}.{encode(forged)}", verifier_of(keys))


class TestUserOfAnotherClaim:
    def test_needs_no_sub(self) -> None:
        verifier = verifier_of(
            keys_from_secret(SECRET, ("HS256",)), names=ClaimNames(user_id=ClaimName(("oid",)))
        )
        assert verifier.verify(token(sub=DROP, oid="alice")).user_id == "alice"
        assert refused(token(sub=5, oid="alice"), verifier)
        assert refused(token(oid=DROP), verifier)

    def test_is_named_in_the_log_when_it_is_missing(self) -> None:
        with capture_logs() as logs:
            assert refused(token(exp=DROP))
            assert refused(token(sub=DROP))
        assert [entry["reason"] for entry in logs] == ["the claim exp is missing", "the claim sub is missing"]
