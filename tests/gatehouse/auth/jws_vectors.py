"""Tokens of every algorithm, valid and spoiled in the ways in which verifiers of signatures are known to fail.

The kinds are those that public collections of vectors try; RFC 8725, section 3, names most of them.
"""

import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jws_signing import (
    ALGORITHMS,
    CURVES,
    HASHES,
    KID,
    ORDERS,
    RSA_ALGORITHMS,
    RSA_KEY,
    Parts,
    content_of,
    key_of,
    made,
    other_key_of,
    signature_of,
    signed_with,
)  # fmt: skip
from jwt.algorithms import ECAlgorithm, RSAAlgorithm
from signed_tokens import as_json, encode, good_claims


def valid(algorithm: str) -> Iterator[tuple[str, str]]:
    """Yield tokens that must be accepted, by what is special about them."""
    yield "as it is", made(algorithm).text
    yield "without kid", signed_with({"alg": algorithm, "typ": "at+jwt"}, algorithm)
    yield "without typ", signed_with({"alg": algorithm, "kid": KID}, algorithm)
    yield "with a header that means nothing", made(algorithm, {"x": [1, {"y": None}]}).text
    if algorithm in CURVES:
        parts = made(algorithm)
        size = len(parts.signature) // 2
        r, s = (int.from_bytes(half, "big") for half in (parts.signature[:size], parts.signature[size:]))
        mirrored = (ORDERS[algorithm] - s).to_bytes(size, "big")  # as good as s: X9.62 has both
        yield "with the other s", Parts(algorithm, parts.content, r.to_bytes(size, "big") + mirrored).text


def invalid(algorithm: str) -> Iterator[tuple[str, str]]:
    """Yield tokens that must be refused, by what is wrong with them."""
    yield from other_signers(algorithm)
    yield from other_headers(algorithm)
    yield from other_forms(algorithm)
    for name, spoiled in (RSA_SIGNATURES if algorithm in RSA_ALGORITHMS else EC_SIGNATURES).items():
        parts = made(algorithm)
        yield name, Parts(algorithm, parts.content, spoiled(parts)).text


def other_signers(algorithm: str) -> Iterator[tuple[str, str]]:
    public = key_of(algorithm).public_key()
    to_jwk = RSAAlgorithm.to_jwk if algorithm in RSA_ALGORITHMS else ECAlgorithm.to_jwk
    for form, secret in {
        "PEM": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "JWK": to_jwk(public).encode(),
        "nothing": b"",
    }.items():
        for digits, digest in {"256": "sha256", "384": "sha384", "512": "sha512"}.items():
            content = content_of({"alg": f"HS{digits}", "typ": "at+jwt", "kid": KID})
            mac = hmac.digest(secret, content.encode(), digest)
            yield f"HS{digits} over the public key as {form}", f"{content}.{encode(mac)}"
    yield "signed by another key", made(algorithm, key=other_key_of(algorithm)).text
    other = json.loads(to_jwk(other_key_of(algorithm).public_key()))
    yield "bringing the key", made(algorithm, {"jwk": other}, other_key_of(algorithm)).text
    yield "bringing our own key", made(algorithm, {"jwk": json.loads(to_jwk(public))}).text
    for signer in ALGORITHMS:
        if signer != algorithm:
            yield f"signed as {signer}", signed_with({"alg": algorithm, "kid": KID}, signer)
            yield f"saying {signer}", signed_with({"alg": signer, "kid": KID}, algorithm)


HEADERS: dict[str, dict[str, Any]] = {
    "crit": {"crit": ["exp"]}, "crit of b64": {"crit": ["b64"], "b64": False}, "crit empty": {"crit": []},
    "b64 false": {"b64": False}, "b64 true": {"b64": True}, "zip": {"zip": "DEF"}, "cty": {"cty": "JWT"},
    "jku": {"jku": "https://issuer.example.evil/jwks"}, "x5u": {"x5u": "https://issuer.example/cert"},
    "x5c": {"x5c": ["MIIB"]}, "kid of nobody": {"kid": "other"}, "kid a path": {"kid": "../../dev/null"},
    "kid a number": {"kid": 1}, "kid null": {"kid": None}, "typ of an ID token": {"typ": "id+jwt"},
}  # fmt: skip


def other_headers(algorithm: str) -> Iterator[tuple[str, str]]:
    for alg in ("none", "None", "NONE", "nOnE", algorithm.lower(), f"{algorithm} ", "", None, [algorithm]):
        yield f"alg {alg!r}", signed_with({"alg": alg, "kid": KID}, algorithm)
        content = content_of({"alg": alg, "kid": KID})
        yield f"alg {alg!r}, unsigned", f"{content}."
    for name, header in HEADERS.items():
        yield name, made(algorithm, header).text
    for name, text in {
        "alg twice": f'{{"alg":"none","alg":"{algorithm}","kid":"{KID}"}}',
        "alg twice, the other way round": f'{{"alg":"{algorithm}","alg":"none","kid":"{KID}"}}',
        "kid twice": f'{{"alg":"{algorithm}","kid":"other","kid":"{KID}"}}',
        "a header that is a list": f'[{{"alg":"{algorithm}"}}]',
        "a header with more behind it": f'{{"alg":"{algorithm}","kid":"{KID}"}}{{}}',
        "a byte order mark": f'\ufeff{{"alg":"{algorithm}","kid":"{KID}"}}',
    }.items():
        yield name, signed_with(text, algorithm)


def other_forms(algorithm: str) -> Iterator[tuple[str, str]]:
    parts = made(algorithm)
    header, payload = parts.content.split(".")
    signature = encode(parts.signature)
    yield "without a signature", f"{parts.content}."
    yield "without a signature and its dot", parts.content
    yield "with a signature and no dot", f"{parts.content}{signature}"
    yield "four parts", f"{parts.text}.{signature}"
    yield "a part of another token", f"{header}.{made(algorithm).content.split('.')[1]}x.{signature}"
    yield "another payload", f"{header}.{encode(as_json(good_claims(sub='mallory')))}.{signature}"
    for name, text in {"header": header, "payload": payload, "signature": signature}.items():
        padded = parts.text.replace(text, text + "=" * (-len(text) % 4 or 4))
        yield f"a padded {name}", padded
        for space in (" ", "\n", "\r\n", "\t", "\x00"):
            half = len(text) // 2
            yield f"{space!r} in the {name}", parts.text.replace(text, f"{text[:half]}{space}{text[half:]}")
        yield f"a character of no alphabet in the {name}", parts.text.replace(text, f"{text}!")
        if len(text) % 4:  # the last character says less than six bits
            yield (
                f"a {name} whose last character says more",
                parts.text.replace(text, text[:-1] + after(text[-1])),
            )
    for space in (" ", "\n", "\r\n", "\t"):
        yield f"{space!r} before it", space + parts.text
        yield f"{space!r} behind it", parts.text + space
    if {"-", "_"} & set(signature):
        plain = signature.replace("-", "+").replace("_", "/")
        yield "a signature of the other alphabet", f"{parts.content}.{plain}"
    yield "a signature in hexadecimal", f"{parts.content}.{parts.signature.hex()}"


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def after(character: str) -> str:
    """Return a character whose first bits are the same, and whose last one is set."""
    return ALPHABET[ALPHABET.index(character) | 1]


def flipped(signature: bytes, at: int) -> bytes:
    return signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :]


Spoils = Callable[[Parts], bytes]
ANY_SIGNATURES: dict[str, Spoils] = {
    "a signature of nothing": lambda parts: b"",
    "a signature of one zero": lambda parts: b"\0",
    "a signature of zeros": lambda parts: bytes(len(parts.signature)),
    "a signature of ones": lambda parts: b"\xff" * len(parts.signature),
    "a signature with a flipped first bit": lambda parts: flipped(parts.signature, 0),
    "a signature with a flipped last bit": lambda parts: flipped(parts.signature, -1 % len(parts.signature)),
    "a signature without its last byte": lambda parts: parts.signature[:-1],
    "a signature without its first byte": lambda parts: parts.signature[1:],
    "a signature with a byte more": lambda parts: parts.signature + b"\0",
    "a signature with a byte before it": lambda parts: b"\0" + parts.signature,
    "a signature twice": lambda parts: parts.signature * 2,
    "a signature of another content": lambda parts: signature_of(parts.algorithm, b"another"),
}


def pkcs1(digest: hashes.HashAlgorithm) -> Spoils:
    return lambda parts: bytes(RSA_KEY.sign(parts.content.encode(), padding.PKCS1v15(), digest))


def pss(salt: int | Any, mask: hashes.HashAlgorithm | None = None) -> Spoils:
    def spoil(parts: Parts) -> bytes:
        digest = HASHES[parts.algorithm[2:]]
        return bytes(
            RSA_KEY.sign(parts.content.encode(), padding.PSS(padding.MGF1(mask or digest), salt), digest)
        )

    return spoil


def numbers(parts: Parts) -> tuple[int, int, int]:
    """Return r, s and the size of each in bytes."""
    size = len(parts.signature) // 2
    return int.from_bytes(parts.signature[:size], "big"), int.from_bytes(parts.signature[size:], "big"), size


def with_numbers(change: Callable[[int, int, int], tuple[int, int]]) -> Spoils:
    """Return a signature of other numbers; the change is given r, s and the order of the group."""

    def spoil(parts: Parts) -> bytes:
        r, s, size = numbers(parts)
        r, s = change(r, s, ORDERS[parts.algorithm])
        limit = (1 << (8 * size)) - 1
        return min(r, limit).to_bytes(size, "big") + min(s, limit).to_bytes(size, "big")

    return spoil


def der(parts: Parts) -> bytes:
    r, s, _ = numbers(parts)
    return encode_dss_signature(r, s)


RSA_SIGNATURES: dict[str, Spoils] = {
    **ANY_SIGNATURES,
    "a signature of one": lambda parts: (1).to_bytes(len(parts.signature), "big"),
    "a signature of the modulus": lambda parts: RSA_KEY.public_key().public_numbers().n.to_bytes(256, "big"),
    "PKCS #1 with SHA-1": pkcs1(hashes.SHA1()),
    "PKCS #1 with SHA-224": pkcs1(hashes.SHA224()),
    "PSS without a salt": pss(0),
    "PSS with the longest salt": pss(padding.PSS.MAX_LENGTH),
    "PSS with a mask of SHA-1": pss(padding.PSS.DIGEST_LENGTH, hashes.SHA1()),
}
EC_SIGNATURES: dict[str, Spoils] = {
    **ANY_SIGNATURES,
    "r is zero": with_numbers(lambda r, s, order: (0, s)),
    "s is zero": with_numbers(lambda r, s, order: (r, 0)),
    "r and s are one": with_numbers(lambda r, s, order: (1, 1)),
    "r and s are swapped": with_numbers(lambda r, s, order: (s, r)),
    "r is the order": with_numbers(lambda r, s, order: (order, s)),
    "s is the order": with_numbers(lambda r, s, order: (r, order)),
    "r and s are the order": with_numbers(lambda r, s, order: (order, order)),
    "r is one less than the order": with_numbers(lambda r, s, order: (order - 1, s)),
    "s is over the order": with_numbers(lambda r, s, order: (r, s + order)),
    "DER in place of raw": der,
    "DER that is padded": lambda parts: der(parts).ljust(len(parts.signature), b"\0"),
}
