"""Who asks: each kind of credential, and the settings of a server that takes it."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from bench.processes import SECRET
from gatehouse.services import Services

CLAIMS = {"iss": "gatehouse", "aud": "gatehouse", "sub": "alice", "tenant_id": "acme", "scope": "*"}
SYMMETRIC = "HS256"
ASYMMETRIC = ("RS256", "ES256", "EdDSA")


@dataclass(frozen=True, slots=True)
class Issuer:
    """Signs tokens with one algorithm, and says how a server is to check them."""

    algorithm: str
    key: Any
    settings: dict[str, Any]

    def token(self) -> str:
        now = int(time.time())
        claims = {**CLAIMS, "iat": now, "exp": now + 3600}
        return jwt.encode(claims, self.key, self.algorithm, headers={"kid": "bench"})


def issuer(algorithm: str, folder: Path) -> Issuer:
    """Return an issuer with a new key."""
    if algorithm == SYMMETRIC:
        return Issuer(algorithm, SECRET, {"jwt_secret": SECRET})
    key, public = key_of(algorithm)
    file = folder / f"{algorithm}.json"
    file.write_text(json.dumps({"keys": [{**public, "kid": "bench", "alg": algorithm, "use": "sig"}]}))
    return Issuer(algorithm, key, {"jwks_file": file})


def key_of(algorithm: str) -> tuple[Any, dict[str, Any]]:
    """Return a private key for the algorithm, and its public half as a JWK."""
    if algorithm == "RS256":
        rsa_key = rsa.generate_private_key(65537, 2048)
        return rsa_key, RSAAlgorithm.to_jwk(rsa_key.public_key(), as_dict=True)
    if algorithm == "ES256":
        ec_key = ec.generate_private_key(ec.SECP256R1())
        return ec_key, ECAlgorithm.to_jwk(ec_key.public_key(), as_dict=True)
    okp_key = ed25519.Ed25519PrivateKey.generate()
    return okp_key, OKPAlgorithm.to_jwk(okp_key.public_key(), as_dict=True)


async def api_key_headers(services: Services) -> dict[str, str]:
    """Return the header of a new API key."""
    keys = services.authenticator.api_keys
    made = await keys.create(tenant_id="acme", user_id="alice", name="Alice", scopes=["*"])
    return {"x-api-key": made.key}


async def session_headers(services: Services, token: str) -> dict[str, str]:
    """Return the cookie of a new session."""
    principal = await services.authenticator.accept(token)
    opened = await services.authenticator.sessions.open(principal)
    return {"cookie": f"gatehouse={opened.token}", "sec-fetch-site": "same-origin"}
