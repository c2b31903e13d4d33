"""How a webhook is signed: as standardwebhooks.com has it, so that its libraries verify it."""

import base64
import hashlib
import hmac

PREFIX = "whsec_"


class BadSecret(Exception):
    """What is no secret of webhooks; the message says what one is."""


def key_of(secret: str) -> bytes:
    """Return the key that a secret is: base64 after `whsec_`. Raises BadSecret for one under 24 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        key = b""
    if not 24 <= len(key) <= 64:  # noqa: PLR2004  # bytes, as the specification has it
        raise BadSecret("it is whsec_ and then 24 to 64 random bytes in base64")
    return key


def signature(key: bytes, identifier: str, timestamp: int, body: bytes) -> str:
    """Return the header `webhook-signature`."""
    signed = b"%s.%d.%s" % (identifier.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
