"""How an API key is written: `gh_<env>_<key id>_<secret><crc32>`.

The prefix lets scanners find a leaked key; the checksum lets garbage be refused without the database.
"""

import re
import secrets
import string
import zlib
from dataclasses import dataclass, field
from typing import Literal, Self

BASE62 = string.digits + string.ascii_letters
ID_LENGTH = 16
SECRET_LENGTH = 32  # of base62: 190 bits
CHECKSUM_LENGTH = 6  # 62^6 > 2^32

PREFIX = "gh_"
PATTERN = re.compile(
    rf"gh_(dev|live)_([0-9A-Za-z]{{{ID_LENGTH}}})_([0-9A-Za-z]{{{SECRET_LENGTH}}})([0-9A-Za-z]{{{CHECKSUM_LENGTH}}})"
)

ID = re.compile(rf"[0-9A-Za-z]{{{ID_LENGTH}}}")

KeyEnvironment = Literal["dev", "live"]


@dataclass(frozen=True, slots=True)
class KeyText:
    """The parts of an API key. `secret` is shown to its owner once and kept by nobody else."""

    environment: str
    id: str
    secret: str = field(repr=False)

    @classmethod
    def new(cls, environment: KeyEnvironment) -> Self:
        """Return a key with a random id and secret."""
        return cls(environment, _random(ID_LENGTH), _random(SECRET_LENGTH))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the parts of a key, or None when its form or its checksum is wrong."""
        match = PATTERN.fullmatch(text)
        if match is None:
            return None
        environment, key_id, secret, checksum = match.groups()
        key = cls(environment, key_id, secret)
        return key if checksum == _checksum(key.body) else None

    @property
    def body(self) -> str:
        return f"{PREFIX}{self.environment}_{self.id}_{self.secret}"

    @property
    def text(self) -> str:
        """The key as its owner sends it."""
        return self.body + _checksum(self.body)


def _random(length: int) -> str:
    return "".join(secrets.choice(BASE62) for _ in range(length))


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(CHECKSUM_LENGTH):
        number, digit = divmod(number, len(BASE62))
        digits.append(BASE62[digit])
    return "".join(reversed(digits))
