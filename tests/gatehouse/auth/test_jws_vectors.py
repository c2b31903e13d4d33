"""Every algorithm over the same kinds of valid and invalid tokens: jws_vectors.py makes them."""

import base64
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jws_signing import ALGORITHMS, KID, key_of
from jws_vectors import invalid, valid
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from signed_tokens import AUDIENCE, ISSUER

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.tokens.jwk_set import keys_from_jwks
from gatehouse.auth.tokens.jwt import JwtVerifier
from gatehouse.auth.tokens.keys import KeySet, keys_from_pem, verification_key
from gatehouse.problems.errors import InvalidCredential


def verifier_of(algorithm: str) -> JwtVerifier:
    keys = KeySet((verification_key(key_of(algorithm).public_key(), KID, "the test", algorithm),))
    return JwtVerifier(keys, issuer=ISSUER, audience=AUDIENCE, leeway=30, max_lifetime=86_400)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
class TestVectors:
    def test_that_are_valid_are_accepted(self, algorithm: str) -> None:
        verifier = verifier_of(algorithm)
        tried = list(valid(algorithm))
        refused = [name for name, token in tried if not accepted(verifier, token)]
        assert refused == []
        assert len(tried) >= 4

    def test_that_are_invalid_are_refused(self, algorithm: str) -> None:
        verifier = verifier_of(algorithm)
        tried = list(invalid(algorithm))
        taken = [name for name, token in tried if accepted(verifier, token)]
        assert taken == []
        assert len(tried) > 100


def accepted(verifier: JwtVerifier, token: str) -> bool:
    """Tell whether it is; anything but a refusal is raised."""
    try:
        return verifier.verify(token).user_id == "alice"
    except InvalidCredential:
        return False


def weak(key: Any) -> dict[str, Any]:
    to_jwk = RSAAlgorithm.to_jwk if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm.to_jwk
    return {**json.loads(to_jwk(key.public_key())), "kid": KID}


class TestKeysThatAreTooWeak:
    @pytest.mark.parametrize(
        "key",
        [rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256K1())],
        ids=["RSA of 1024 bits", "secp256k1"],
    )
    def test_are_refused_at_the_start(self, key: Any) -> None:
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(BadConfiguration):
            keys_from_pem(pem)
        with pytest.raises(BadConfiguration):
            keys_from_jwks(json.dumps({"keys": [weak(key)]}).encode(), "GATEHOUSE_JWKS_FILE")

    @pytest.mark.parametrize("exponent", [1, 2, 3])
    def test_of_an_exponent_that_signs_nothing_are_refused(self, exponent: int) -> None:
        jwk = weak(key_of("RS256"))
        jwk["e"] = base64.urlsafe_b64encode(bytes([exponent])).rstrip(b"=").decode()
        document = json.dumps({"keys": [jwk]}).encode()
        if exponent == 3:  # which is small, and in use
            assert keys_from_jwks(document, "GATEHOUSE_JWKS_FILE").keys
        else:
            with pytest.raises(BadConfiguration):
                keys_from_jwks(document, "GATEHOUSE_JWKS_FILE")

    def test_on_no_point_of_their_curve_are_refused(self) -> None:
        jwk = weak(key_of("ES256"))
        jwk["y"] = jwk["x"]
        with pytest.raises(BadConfiguration):
            keys_from_jwks(json.dumps({"keys": [jwk]}).encode(), "GATEHOUSE_JWKS_FILE")


def test_a_refusal_takes_no_longer_for_a_longer_token() -> None:
    """What is over the limit is not read at all."""
    began = time.perf_counter()
    assert not accepted(verifier_of("RS256"), f"{'A' * 5_000_000}.A.A")
    assert time.perf_counter() - began < 0.5
