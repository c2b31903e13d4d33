import json
import stat
from pathlib import Path
from typing import Any

import jwt
import pytest
from auth_settings import MakeSettings
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from signed_tokens import AUDIENCE, ISSUER, SECRET, good_claims, token

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.auth.tokens.jwt import JwtVerifier
from gatehouse.auth.tokens.key_source import load_keys
from gatehouse.problems.errors import InvalidCredential

RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


@pytest.fixture
def pem_file(tmp_path: Path) -> Path:
    file = tmp_path / "issuer.pem"
    file.write_bytes(pem(RSA_KEY))
    return file


class TestLoadKeys:
    def test_takes_the_secret_for_hs256(self, make_settings: MakeSettings) -> None:
        settings = make_settings(jwt_secret=SECRET, issuer=ISSUER, audience=AUDIENCE)
        assert JwtVerifier.from_settings(settings).verify(token()).user_id == "alice"
        assert [key.algorithm for key in load_keys(settings).keys] == ["HS256"]

    def test_takes_a_public_key_file(self, make_settings: MakeSettings, pem_file: Path) -> None:
        settings = make_settings(jwt_public_key_file=pem_file, issuer=ISSUER, audience=AUDIENCE)
        text = jwt.encode(good_claims(), RSA_KEY, "RS256", {"kid": "any"})
        assert JwtVerifier.from_settings(settings).verify(text).user_id == "alice"

    @pytest.mark.parametrize(
        ("key", "algorithm"),
        [(EC_KEY, "ES256"), (ed25519.Ed25519PrivateKey.generate(), "EdDSA")],
        ids=["EC", "Ed25519"],
    )
    def test_tells_the_algorithm_by_the_key(
        self, make_settings: MakeSettings, tmp_path: Path, key: Any, algorithm: str
    ) -> None:
        file = tmp_path / "key.pem"
        file.write_bytes(pem(key))
        assert [key.algorithm for key in load_keys(make_settings(jwt_public_key_file=file)).keys] == [
            algorithm
        ]

    def test_takes_a_jwks_file(self, make_settings: MakeSettings, tmp_path: Path) -> None:
        file = tmp_path / "jwks.json"
        jwk = jwt.algorithms.ECAlgorithm.to_jwk(EC_KEY.public_key(), as_dict=True)
        file.write_text(json.dumps({"keys": [{**jwk, "kid": "1"}]}))
        assert load_keys(make_settings(jwks_file=file)).find("ES256", "1") is not None

    def test_generates_a_secret_in_development(self, make_settings: MakeSettings) -> None:
        settings = make_settings()
        assert load_keys(settings) == load_keys(settings)
        assert stat.S_IMODE((settings.data_dir / "jwt_secret").stat().st_mode) == 0o600

    def test_generates_none_beside_a_public_key(self, make_settings: MakeSettings, pem_file: Path) -> None:
        settings = make_settings(jwt_public_key_file=pem_file)
        load_keys(settings)
        assert not settings.data_dir.exists()

    def test_keeps_to_the_listed_algorithms(self, make_settings: MakeSettings) -> None:
        settings = make_settings(
            jwt_secret="s" * 64, jwt_algorithms=("HS512", "HS384"), issuer=ISSUER, audience=AUDIENCE
        )
        verifier = JwtVerifier.from_settings(settings)
        assert verifier.verify(jwt.encode(good_claims(), "s" * 64, "HS384")).user_id == "alice"
        with pytest.raises(InvalidCredential):
            verifier.verify(jwt.encode(good_claims(), "s" * 64, "HS256"))

    def test_keeps_to_the_listed_algorithms_of_a_file(
        self, make_settings: MakeSettings, pem_file: Path
    ) -> None:
        keys = load_keys(make_settings(jwt_public_key_file=pem_file, jwt_algorithms="RS256"))
        assert [key.algorithm for key in keys.keys] == ["RS256"]


class TestBadConfiguration:
    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"jwt_secret": SECRET, "jwt_public_key_file": "key.pem"}, "JWT_SECRET and .*PUBLIC_KEY_FILE"),
            ({"jwt_secret": SECRET, "jwks_file": "jwks.json"}, "JWT_SECRET and .*JWKS_FILE"),
            ({"jwks_file": "a", "jwt_public_key_file": "b"}, "JWT_PUBLIC_KEY_FILE and .*JWKS_FILE"),
            ({"jwt_secret": "x" * 31}, "31 bytes and HS256 needs 32"),
            ({"jwt_secret": ""}, "0 bytes"),
            ({"jwt_secret": "x" * 63, "jwt_algorithms": "HS256,HS512"}, "63 bytes and HS256/HS512 needs 64"),
            ({"jwt_secret": pem(RSA_KEY).decode()}, "holds a public key"),
            ({"jwt_secret": SECRET, "jwt_algorithms": "RS256"}, "lists RS256, but no key fits"),
            ({"jwt_secret": SECRET, "jwt_algorithms": "HS256,ES256"}, "lists ES256, but no key fits"),
            ({"jwt_public_key_file": "nowhere.pem"}, "nowhere.pem cannot be read"),
            ({"jwks_file": "nowhere.json"}, "GATEHOUSE_JWKS_FILE: nowhere.json cannot be read"),
        ],
    )  # fmt: skip
    def test_names_the_setting(
        self, make_settings: MakeSettings, given: dict[str, Any], message: str
    ) -> None:
        with pytest.raises(BadConfiguration, match=message):
            load_keys(make_settings(**given))

    def test_of_hs256_beside_a_public_key(self, make_settings: MakeSettings, pem_file: Path) -> None:
        with pytest.raises(BadConfiguration, match="lists HS256, but no key fits"):
            load_keys(make_settings(jwt_public_key_file=pem_file, jwt_algorithms="RS256,HS256"))

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (RSA_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), "private key"),
            (pem(rsa.generate_private_key(65537, 1024)), "1024 bits"),
            (
                pem(ec.generate_private_key(ec.SECP256K1())),
                "not RSA, EC on P-256, P-384 or P-521, or Ed25519",
            ),
            (pem(ed448.Ed448PrivateKey.generate()), "not RSA, EC on P-256, P-384 or P-521, or Ed25519"),
            (pem(dsa.generate_private_key(1024)), "not RSA, EC on P-256, P-384 or P-521, or Ed25519"),
            (b"", "no PEM public key"),
            (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "no PEM public key"),
        ],
        ids=["private", "weak", "secp256k1", "Ed448", "DSA", "empty", "broken"],
    )
    def test_of_a_key_file(
        self, make_settings: MakeSettings, tmp_path: Path, content: bytes, message: str
    ) -> None:
        file = tmp_path / "key.pem"
        file.write_bytes(content)
        with pytest.raises(BadConfiguration, match=f"GATEHOUSE_JWT_PUBLIC_KEY_FILE .*{message}"):
            load_keys(make_settings(jwt_public_key_file=file))

    def test_shows_no_secret(self, make_settings: MakeSettings) -> None:
        with pytest.raises(BadConfiguration) as caught:
            load_keys(make_settings(jwt_secret="too short"))
        assert "too short" not in str(caught.value)
        assert SECRET not in repr(load_keys(make_settings(jwt_secret=SECRET)))
