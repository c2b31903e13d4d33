"""Tokens signed with the keys of an issuer by `cryptography` and put together by hand, for every algorithm."""

from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from signed_tokens import as_json, encode, good_claims

HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
CURVES: dict[str, ec.EllipticCurve] = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
}
ORDERS = {  # of the curves' groups: SEC 2, section 2
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    "ES512": (1 << 521)
    - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
}  # fmt: skip
RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
ALGORITHMS = (*RSA_ALGORITHMS, *CURVES)
KID = "mine"

RSA_KEY, OTHER_RSA_KEY = (rsa.generate_private_key(65537, 2048) for _ in range(2))
EC_KEYS = {algorithm: ec.generate_private_key(curve) for algorithm, curve in CURVES.items()}
OTHER_EC_KEYS = {algorithm: ec.generate_private_key(curve) for algorithm, curve in CURVES.items()}


@dataclass(frozen=True)
class Parts:
    """A token that is about to be joined: the text that is signed, its signature, and the algorithm's name."""

    algorithm: str
    content: str
    signature: bytes

    @property
    def text(self) -> str:
        return f"{self.content}.{encode(self.signature)}"


def key_of(algorithm: str) -> Any:
    return RSA_KEY if algorithm in RSA_ALGORITHMS else EC_KEYS[algorithm]


def other_key_of(algorithm: str) -> Any:
    return OTHER_RSA_KEY if algorithm in RSA_ALGORITHMS else OTHER_EC_KEYS[algorithm]


def signature_of(algorithm: str, content: bytes, key: Any = None) -> bytes:
    """Return the signature as RFC 7518 has it: of ES* the two numbers beside each other, each of the curve's size."""
    key, digest = key or key_of(algorithm), HASHES[algorithm[2:]]
    if algorithm in CURVES:
        return raw(key.sign(content, ec.ECDSA(digest)), size_of(key.curve))
    if algorithm.startswith("RS"):
        return bytes(key.sign(content, padding.PKCS1v15(), digest))
    return bytes(key.sign(content, padding.PSS(padding.MGF1(digest), digest.digest_size), digest))


def size_of(curve: ec.EllipticCurve) -> int:
    """Return how many bytes a number of the curve has."""
    return (curve.key_size + 7) // 8


def raw(der: bytes, size: int) -> bytes:
    return b"".join(number.to_bytes(size, "big") for number in decode_dss_signature(der))


def content_of(header: dict[str, Any] | str) -> str:
    return f"{encode(as_json(header))}.{encode(as_json(good_claims()))}"


def made(algorithm: str, header: dict[str, Any] | None = None, key: Any = None) -> Parts:
    """Return a token that is signed by the issuer's key, or by another, whatever its header says."""
    content = content_of({"alg": algorithm, "typ": "at+jwt", "kid": KID, **(header or {})})
    return Parts(algorithm, content, signature_of(algorithm, content.encode(), key))


def signed_with(header: dict[str, Any] | str, algorithm: str, key: Any = None) -> str:
    content = content_of(header)
    return Parts(algorithm, content, signature_of(algorithm, content.encode(), key)).text
