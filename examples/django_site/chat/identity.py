"""Who a Django user is to Gatehouse: a JWT of this site's own issuer. It never reaches the browser."""

import base64
import hashlib
import json
import time
from functools import cache
from typing import Any
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings

from chat.models import Customer

LIFETIME = 300  # seconds; Gatehouse ends what still runs then
ALGORITHM = "ES256"


class NoCustomer(Exception):
    """The user is signed in here, but is nobody to Gatehouse; or is no longer active."""


async def token_for(user_id: int) -> str:
    """Return an access token (RFC 9068) for this user, as the database knows them now. Raises NoCustomer."""
    customers = Customer.objects.select_related("user").filter(user_id=user_id, user__is_active=True)
    customer = await customers.afirst()
    if customer is None:
        raise NoCustomer
    now = int(time.time())
    claims = {
        "iss": settings.TOKEN_ISSUER,
        "aud": settings.TOKEN_AUDIENCE,
        "sub": customer.subject,
        "tenant_id": customer.tenant_id,
        "name": customer.user.get_full_name() or customer.user.get_username(),
        "scope": " ".join(settings.TOKEN_SCOPES),
        "iat": now,
        "exp": now + LIFETIME,
        "jti": str(uuid4()),
        **({"portfolio_id": customer.portfolio_id} if customer.portfolio_id else {}),
    }
    key, kid = signing_key()
    return jwt.encode(claims, key, ALGORITHM, headers={"typ": "at+jwt", "kid": kid})


def jwks() -> dict[str, Any]:
    """Return the public half of the signing key as a JWKS (RFC 7517), which Gatehouse fetches."""
    key, kid = signing_key()
    return {"keys": [{**public_jwk(key), "kid": kid, "use": "sig", "alg": ALGORITHM}]}


@cache
def signing_key() -> tuple[ec.EllipticCurvePrivateKey, str]:
    """Return the key and its id, which is its thumbprint (RFC 7638): another key has another id."""
    key = serialization.load_pem_private_key(settings.TOKEN_KEY_FILE.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(f"{settings.TOKEN_KEY_FILE} is no key for {ALGORITHM}: run manage.py prepare")
    members = json.dumps(public_jwk(key), sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(members.encode()).digest()
    return key, base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def public_jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """Return the members of the public key that make its thumbprint."""
    jwk = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return {name: jwk[name] for name in ("crv", "kty", "x", "y")}
