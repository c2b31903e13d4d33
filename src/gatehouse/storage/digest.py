"""Names in Redis for what is secret, long, or anybody's to choose."""

import hashlib


def digest_of(*parts: str) -> str:
    """Return 64 hexadecimal digits that stand for these texts: SHA-256, with a NUL between two of them.

    A secret cannot be read from its digest, and no other texts have the same.
    """
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
