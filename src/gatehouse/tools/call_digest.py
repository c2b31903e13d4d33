"""What tells one call of a tool from every other: a digest of the tool and its arguments."""

import json
from typing import Any

from gatehouse.plain_json import named, plain
from gatehouse.storage.digest import digest_of


def call_digest(tool: str, args: Any) -> str:
    """Return 64 hexadecimal digits that only the same tool with the same arguments has, in whatever order."""
    return digest_of(tool, canonical(args))


def canonical(value: Any) -> str:
    """Return a value as the one JSON text that equal values have."""
    return json.dumps(plain(value, named), sort_keys=True, separators=(",", ":"))
