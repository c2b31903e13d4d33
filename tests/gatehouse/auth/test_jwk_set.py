import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.tokens.jwk_set import keys_from_jwks

RSA_KEY = rsa.generate_private_key(65537, 2048)
RSA_JWK = RSAAlgorithm.to_jwk(RSA_KEY.public_key(), as_dict=True)
PRIVATE_RSA_JWK = RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True)
WEAK_RSA_JWK = RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 1024).public_key(), as_dict=True)
EC_JWK = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True)
P384_JWK = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP384R1()).public_key(), as_dict=True)
ED_JWK = OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate().public_key(), as_dict=True)


def algorithms(*jwks: dict[str, Any]) -> dict[str | None, str]:
    keys = keys_from_jwks(json.dumps({"keys": jwks}).encode(), "GATEHOUSE_JWKS_FILE").keys
    return {key.kid: key.algorithm for key in keys}


class TestKeysFromJwks:
    def test_binds_each_key_to_its_algorithm(self) -> None:
        found = algorithms({**RSA_JWK, "kid": "a"}, {**EC_JWK, "kid": "b"}, {**ED_JWK, "kid": "c"})
        assert found == {"a": "RS256", "b": "ES256", "c": "EdDSA"}

    def test_takes_a_single_key_without_kid(self) -> None:
        assert algorithms({**RSA_JWK, "alg": "RS256", "use": "sig", "key_ops": ["verify"]}) == {None: "RS256"}

    @pytest.mark.parametrize(
        "other",
        [{**RSA_JWK, "use": "enc"}, {**RSA_JWK, "alg": "PS256"}, {**RSA_JWK, "key_ops": ["encrypt"]},
         {**RSA_JWK, "key_ops": 5}, P384_JWK, {"kty": "new"}, {"kty": ["RSA"]}, {}],
        ids=["use", "alg", "key_ops", "bad key_ops", "curve", "kty", "bad kty", "empty"],
    )  # fmt: skip
    def test_passes_over_what_serves_another_end(self, other: dict[str, Any]) -> None:
        assert algorithms({**other, "kid": "other"}, {**EC_JWK, "kid": "ours"}) == {"ours": "ES256"}

    @pytest.mark.parametrize(
        ("jwks", "message"),
        [
            ([RSA_JWK, EC_JWK], "kid"),
            ([{**RSA_JWK, "kid": "a"}, {**EC_JWK, "kid": "a"}], "kid"),
            ([{**RSA_JWK, "kid": 5}], "kid"),
            ([{"kty": "oct", "k": "c2VjcmV0"}], "secret or private"),
            ([PRIVATE_RSA_JWK], "secret or private"),
            ([WEAK_RSA_JWK], "1024 bits"),
            ([{**RSA_JWK, "n": "!"}], "cannot be read"),
            ([{**EC_JWK, "x": ED_JWK["x"]}], "cannot be read"),
            ([{"kty": "RSA"}], "cannot be read"),
            ([{**RSA_JWK, "use": "enc"}], "no signature key"),
            ([], "no signature key"),
        ],
        ids=["no kids", "same kid", "number as kid", "symmetric", "private", "weak", "broken RSA",
             "not on curve", "no modulus", "none left", "empty"],
    )  # fmt: skip
    def test_refuses_keys_that_are_unsafe_or_unclear(self, jwks: list[Any], message: str) -> None:
        with pytest.raises(BadConfiguration, match=message):
            algorithms(*jwks)

    @pytest.mark.parametrize(
        "document",
        [b"", b"<html>", b"[]", b"{}", b'{"keys": {}}', b'{"keys": [1]}', b"\xff\xfe", b"[" * 100_000],
    )
    def test_refuses_what_is_no_jwks(self, document: bytes) -> None:
        with pytest.raises(BadConfiguration, match="GATEHOUSE_JWKS_FILE holds no JWKS"):
            keys_from_jwks(document, "GATEHOUSE_JWKS_FILE")
