"""The keys that tokens are verified with, each bound to one algorithm and strong enough for it."""

from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import InvalidKeyError
from jwt.algorithms import HMACAlgorithm

from gatehouse.auth.configuration import BadConfiguration

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

HMAC_BYTES = {"HS256": 32, "HS384": 48, "HS512": 64}  # RFC 7518 section 3.2: as long as the hash
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


def keys_from_secret(secret: str, algorithms: tuple[str, ...]) -> KeySet:
    """Return the shared secret as a key for each of these HS* algorithms.

    Raises BadConfiguration when it is shorter than the hash, or is a public key in disguise.
    """
    material = secret.encode()
    needed = max(HMAC_BYTES.get(algorithm, 0) for algorithm in algorithms)
    if len(material) < needed:
        raise BadConfiguration(
            f"GATEHOUSE_JWT_SECRET has {len(material)} bytes and {'/'.join(algorithms)} needs {needed}: "
            "make one with `openssl rand -hex 64`."
        )
    try:
        HMACAlgorithm(HMACAlgorithm.SHA256).prepare_key(material)
    except InvalidKeyError:
        raise BadConfiguration(
            "GATEHOUSE_JWT_SECRET holds a public key, certificate or JWK: put it into a file, and name that "
            "in GATEHOUSE_JWT_PUBLIC_KEY_FILE or GATEHOUSE_JWKS_FILE."
        ) from None
    return KeySet(tuple(VerificationKey(name, material) for name in HMAC_BYTES)).only(algorithms)


def keys_from_pem(pem: bytes) -> KeySet:
    """Return the public key of a PEM file. Raises BadConfiguration when it is none, or a weak one."""
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
    return KeySet((verification_key(key, None, setting),))


def verification_key(key: object, kid: str | None, setting: str) -> VerificationKey:
    """Return a public key with its algorithm; `setting` names its source in errors.

    Raises BadConfiguration for a key that is weak or of a kind that RS256, ES256 and EdDSA cannot use.
    """
    match key:
        case RSAPublicKey() if key.key_size < RSA_BITS:
            raise BadConfiguration(
                f"{setting} holds an RSA key of {key.key_size} bits: use one of at least {RSA_BITS}."
            )
        case RSAPublicKey():
            return VerificationKey("RS256", key, kid)
        case EllipticCurvePublicKey(curve=SECP256R1()):
            return VerificationKey("ES256", key, kid)
        case Ed25519PublicKey():
            return VerificationKey("EdDSA", key, kid)
        case _:
            raise BadConfiguration(f"{setting} holds a key that is not RSA, EC on P-256, or Ed25519.")
