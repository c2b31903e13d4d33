"""Takes secrets out of what is logged, traced or kept on record: by a field's name, and by their look."""

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"
DEEPEST = 6  # levels of lists and mappings; what lies below is written out before it is looked through

SECRET_NAMES = re.compile(  # token, but not output_tokens
    r"authorization|cookie|passw(?:or)?d|passphrase|secret|token(?!s)|api[_-]?key|private[_-]?key"
    r"|credential|pepper",
    re.IGNORECASE,
)
SECRET_VALUES = re.compile(
    r"gh_[a-z]+_\w{6,}"  # our own API keys
    r"|eyJ[\w-]{4,}+(?:\.[\w-]*+)*+"  # JWTs; any word that begins like one, so that this takes linear time
    r"|sk-[\w-]{8,}"  # keys of OpenAI and others
    r"|lsv2_\w{6,}"  # keys of LangSmith
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"  # keys of AWS
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$(?![\s\S]))"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user:password in a URL
    r"|(?i:(?<=bearer )\S+)"
    r"|(?i:(?<=basic ))(?=[A-Za-z+/]*[A-Z0-9=])[A-Za-z0-9+/]{8,}={0,2}"  # RFC 7617, but no English word
    r"|(?i:(?<=link=)[\w-]+)"
    r"|(?i:(?<=ticket=)[\w-]+)"
    r"|(?i:(?<=password=)[^\s&;,'\"]+)"  # connection strings
    r"|(?i:(?<=secret=)[^\s&;,'\"]+)"
    r"|(?i:(?<=api_key=)[^\s&;,]+)",
    re.DOTALL,
)

# what pydantic quotes of a value that it refuses: of a question, an answer, or a tool's arguments
QUOTED = re.compile(r"(?<=input_value=).*?(?=, input_type=)", re.DOTALL)


def redact(value: Any, depth: int = 0) -> Any:
    """Return `value` with every secret that can be recognised replaced by `[redacted]`.

    What is neither text nor a number nor made of these is written out, as a log line would show it.
    """
    if isinstance(value, str):
        return cleaned(value)
    if value is None or isinstance(value, bool | int | float | date):
        return value
    if isinstance(value, bytes | bytearray):
        return redact(value.decode("utf-8", "replace"))
    if depth < DEEPEST and isinstance(value, Mapping):
        return {
            cleaned(name): REDACTED if names_secret(name) else redact(item, depth + 1)
            for name, item in ((str(name), item) for name, item in value.items())
        }
    if depth < DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth + 1) for item in value]
    return cleaned(repr(value))


@lru_cache(1000)
def names_secret(name: str) -> bool:
    """Tell whether a field of this name has a secret."""
    return SECRET_NAMES.search(name) is not None


def may_have_secret(text: str) -> bool:
    """Tell whether a text has what is in each of SECRET_VALUES.

    To look for it costs a fortieth: most of what is logged are ids and paths.
    """
    return (
        " " in text or "=" in text or "://" in text or "eyJ" in text or "sk-" in text
        or "gh_" in text or "lsv2_" in text or "AKIA" in text or "ASIA" in text
    )  # fmt: skip


def cleaned(text: str) -> str:
    """Return text without secrets, and without what an error quotes of somebody's words."""
    if not may_have_secret(text):
        return text
    whole = QUOTED.sub(REDACTED, text) if "input_value=" in text else text
    return SECRET_VALUES.sub(REDACTED, whole)
