"""The peppers: server-side secrets that API keys are hashed with, so that a stolen table is of no use."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from gatehouse.auth.api_keys.format import KeyText
from gatehouse.auth.configuration import BadConfiguration

PEPPER_BYTES = 32
VERSION = r"\d{1,9}:"


@dataclass(frozen=True, slots=True)
class Peppers:
    """The peppers by version. New keys use the highest; the others verify keys that were made before it."""

    by_version: Mapping[int, bytes] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the peppers of GATEHOUSE_API_KEY_PEPPER: one secret, or `2:SECRET,1:SECRET` to rotate it.

        A secret without a number is version 1. Raises BadConfiguration for one under 32 bytes, and for
        a version that is given twice.
        """
        peppers: dict[int, bytes] = {}
        entries = re.split(rf",\s*(?={VERSION})", text) if re.match(VERSION, text) else [f"1:{text}"]
        for entry in entries:
            number, _, secret = entry.partition(":")
            version, pepper = int(number), secret.encode()
            if version in peppers:
                raise BadConfiguration(
                    f"GATEHOUSE_API_KEY_PEPPER has two peppers of version {version}: write 2:NEW,1:OLD."
                )
            if len(pepper) < PEPPER_BYTES:
                raise BadConfiguration(
                    f"GATEHOUSE_API_KEY_PEPPER has a pepper of {len(pepper)} bytes and {PEPPER_BYTES} are "
                    "needed: make one with `openssl rand -hex 32`."
                )
            peppers[version] = pepper
        return cls(peppers)

    @property
    def current(self) -> int:
        return max(self.by_version)

    def hash(self, key: KeyText, version: int) -> bytes:
        """Return the 32 bytes that are kept of a key's secret. They are bound to its id too.

        Raises KeyError for a version that is not configured.
        """
        return hmac.digest(self.by_version[version], f"{key.id}.{key.secret}".encode(), hashlib.sha256)
