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
P521_JWK = ECAlgorithm.to_jwk(ec.generate_private_key(ec.SECP521R1()).public_key(), as_dict=True)
ED_JWK = OKPAlgorithm.to_jwk(ed25519.Ed25519PrivateKey.generate().public_key(), as_dict=True)


def algorithms(*jwks: dict[str, Any], wanted: tuple[str, ...] = ()) -> dict[str | None, str]:
    keys = keys_from_jwks(json.dumps({"keys": jwks}).encode(), "GATEHOUSE_JWKS_FILE", wanted).keys
    return {key.kid: key.algorithm for key in keys}


class TestKeysFromJwks:
    def test_binds_each_key_to_its_algorithm(self) -> None:
        found = algorithms({**RSA_JWK, "kid": "a"}, {**EC_JWK, "kid": "b"}, {**ED_JWK, "kid": "c"})
        assert found == {"a": "RS256", "b": "ES256", "c": "EdDSA"}

    @pytest.mark.parametrize("alg", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
    def test_takes_an_rsa_key_for_the_algorithm_that_it_names(self, alg: str) -> None:
        assert algorithms({**RSA_JWK, "alg": alg}, wanted=("RS256", "PS512")) == {None: alg}

    def test_takes_a_curve_for_its_algorithm(self) -> None:
        found = algorithms({**P384_JWK, "kid": "a"}, {**P521_JWK, "kid": "b"})
        assert found == {"a": "ES384", "b": "ES512"}

    def test_takes_an_rsa_key_that_names_none_for_what_the_settings_list(self) -> None:
        document = json.dumps({"keys": [RSA_JWK]}).encode()
        found = keys_from_jwks(document, "GATEHOUSE_JWKS_FILE", ("PS256", "RS512", "ES256")).keys
        assert [key.algorithm for key in found] == ["RS512", "PS256"]

    def test_takes_a_single_key_without_kid(self) -> None:
        assert algorithms({**RSA_JWK, "alg": "RS256", "use": "sig", "key_ops": ["verify"]}) == {None: "RS256"}

    @pytest.mark.parametrize(
        "other",
        [{**RSA_JWK, "use": "enc"}, {**RSA_JWK, "alg": "RSA-OAEP"}, {**RSA_JWK, "key_ops": ["encrypt"]},
         {**RSA_JWK, "key_ops": 5}, {**EC_JWK, "crv": "secp256k1"}, {**P384_JWK, "alg": "ES256"}, {**RSA_JWK, "alg": ["RS256"]}, {"kty": "new"}, {"kty": ["RSA"]}, {}],
        ids=["use", "alg", "key_ops", "bad key_ops", "curve", "curve of another alg", "bad alg", "kty", "bad kty", "empty"],
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
