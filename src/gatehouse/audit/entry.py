"""One row of the audit log, before it is written."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID, uuid4, uuid5

from gatehouse.telemetry.redaction import redact

Action = Literal[
    "sign-in",
    "sign-out",
    "key.create",
    "key.rotate",
    "key.revoke",
    "token.revoke",
    "user.erase",
    "access.refused",
    "tool.act",
    "approval.open",
    "approval.decide",
    "approval.end",
    "limit.hit",
]
Outcome = Literal["ok", "failed", "refused"]

MOST_DETAILS = 12
LONGEST = 255  # characters of a text
ONE_MINUTE = 60
SAME = UUID("8a1f5f0e-9f0b-4a43-9d6e-5d0d9f6c2b11")  # the namespace of rows that stand for several


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What happened. `tenant_id` is None when nobody knows whose it was, `user_id` also for the operator.

    `details` holds a few short values; what looks like a secret is taken out of it.
    """

    action: Action
    outcome: Outcome
    tenant_id: str | None = None
    user_id: str | None = None
    subject: str = ""
    request_id: str = ""
    address: str = ""
    details: Mapping[str, str | int | None] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid4()))
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    def row(self) -> dict[str, Any]:
        """Return the columns of the row, within their bounds."""
        details = redact(dict(list(self.details.items())[:MOST_DETAILS]))
        return {
            "id": self.id,
            "time": self.time,
            "tenant_id": self.tenant_id,
            "user_id": self.user_id,
            "action": self.action,
            "outcome": self.outcome,
            "subject": bounded(str(redact(self.subject))),
            "request_id": self.request_id,
            "address": self.address[:64],
            "details": {
                name: bounded(value) if isinstance(value, str) else value for name, value in details.items()
            },
        }


def once_a_minute(*same: str | None) -> str:
    """Return the id of a row that stands for all that is the `same` within a minute, on every replica."""
    minute = int(time.time()) // ONE_MINUTE
    return str(uuid5(SAME, "\0".join([str(minute), *(part or "" for part in same)])))


def bounded(text: str) -> str:
    """Return a text that a column can hold."""
    return text[:LONGEST].replace("\0", "\N{REPLACEMENT CHARACTER}")
