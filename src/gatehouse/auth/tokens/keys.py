"""The keys that tokens are verified with, each bound to one algorithm and strong enough for it."""

from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    SECP384R1,
    SECP521R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import InvalidKeyError
from jwt.algorithms import HMACAlgorithm

from gatehouse.auth.configuration import BadConfiguration

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

HMAC_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}  # RFC 7518 section 3.2: as long as the hash
RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")  # RFC 7518 sections 3.3 and 3.5
USUAL = ("RS256",)  # of an RSA key of which nobody says more
CURVES = {SECP256R1: "ES256", SECP384R1: "ES384", SECP521R1: "ES512"}  # section 3.4: each has one
PUBLIC_ALGORITHMS = (*RSA_ALGORITHMS, *CURVES.values(), "EdDSA")
RSA_BITS = 2048  # RFC 7518 section 3.3


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A key and the one algorithm that it verifies, so that a token cannot choose another."""

    algorithm: str
    material: bytes | PublicKey = field(repr=False)
    kid: str | None = None


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of the issuer."""

    keys: tuple[VerificationKey, ...]

    def find(self, algorithm: str, kid: str | None) -> VerificationKey | None:
        """Return the one key that fits, None when none or several do. A key without an id fits any `kid`."""
        fitting = [
            key
            for key in self.keys
            if key.algorithm == algorithm and (kid is None or key.kid is None or key.kid == kid)
        ]
        return fitting[0] if len(fitting) == 1 else None

    def only(self, algorithms: tuple[str, ...]) -> "KeySet":
        """Return the keys for these algorithms. Raises BadConfiguration for one that no key fits."""
        if unfit := sorted(set(algorithms) - {key.algorithm for key in self.keys}):
            raise BadConfiguration(
                f"GATEHOUSE_JWT_ALGORITHMS lists {', '.join(unfit)}, but no key fits: take it off the list "
                "or set a key for it. HS* needs GATEHOUSE_JWT_SECRET and stands beside no other kind."
            )
        return KeySet(tuple(key for key in self.keys if key.algorithm in algorithms))


def keys_from_secret(
    secret: str, algorithms: tuple[str, ...], setting: str = "GATEHOUSE_JWT_SECRET"
) -> KeySet:
    """Return the shared secret, of this setting, as a key for each of these HS* algorithms.

    Raises BadConfiguration when it is shorter than the hash, or is a public key in disguise.
    """
    material = secret.encode()
    needed = max(HMAC_BYTES.get(algorithm, 0) for algorithm in algorithms)
    if len(material) < needed:
        raise BadConfiguration(
            f"{setting} has {len(material)} bytes and {'/'.join(algorithms)} needs {needed}: "
            "make one with `openssl rand -hex 64`."
        )
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(material)
    except InvalidKeyError:
        raise BadConfiguration(
            f"{setting} holds a public key, certificate or JWK: put it into a file, and name that "
            "in GATEHOUSE_JWT_PUBLIC_KEY_FILE or GATEHOUSE_JWKS_FILE."
        ) from None
    return KeySet(tuple(VerificationKey(name, material) for name in HMAC_BYTES)).only(algorithms)


def keys_from_pem(pem: bytes, algorithms: tuple[str, ...] = ()) -> KeySet:
    """Return the public key of a PEM file, for those of the `algorithms` that it fits, or the usual one.

    Raises BadConfiguration when it is none, or a weak one.
    """
    setting = "GATEHOUSE_JWT_PUBLIC_KEY_FILE"
    if b"PRIVATE KEY" in pem:
        raise BadConfiguration(
            f"{setting} holds a private key, which only the issuer may have: write its public half with "
            "`openssl pkey -in KEY -pubout`."
        )
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise BadConfiguration(f"{setting} holds no PEM public key (-----BEGIN PUBLIC KEY-----).") from None
    return KeySet(verification_keys(key, None, setting, algorithms))


def verification_keys(
    key: object, kid: str | None, setting: str, algorithms: tuple[str, ...] = ()
) -> tuple[VerificationKey, ...]:
    """Return a public key with the algorithm that it verifies; `setting` names its source in errors.

    An RSA key could verify several: it does those of the `algorithms`, or the usual one. Raises
    BadConfiguration for a key that is weak or of a kind that no algorithm here can use.
    """
    if not isinstance(key, RSAPublicKey):
        return (verification_key(key, kid, setting),)
    wanted = tuple(name for name in RSA_ALGORITHMS if name in algorithms) or USUAL
    return tuple(verification_key(key, kid, setting, name) for name in wanted)


def verification_key(
    key: object, kid: str | None, setting: str, rsa_algorithm: str = "RS256"
) -> VerificationKey:
    """Return a public key with one algorithm that it verifies. Raises as `verification_keys`."""
    match key:
        case RSAPublicKey() if key.key_size < RSA_BITS:
            raise BadConfiguration(
                f"{setting} holds an RSA key of {key.key_size} bits: use one of at least {RSA_BITS}."
            )
        case RSAPublicKey():
            return VerificationKey(rsa_algorithm, key, kid)
        case EllipticCurvePublicKey() if type(key.curve) in CURVES:
            return VerificationKey(CURVES[type(key.curve)], key, kid)
        case Ed25519PublicKey():
            return VerificationKey("EdDSA", key, kid)
        case _:
            raise BadConfiguration(
                f"{setting} holds a key that is not RSA, EC on P-256, P-384 or P-521, or Ed25519."
            )
