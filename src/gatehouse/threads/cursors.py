"""Where a page of a list begins, as an opaque word that clients hand back."""

import base64
import binascii
import re
from datetime import UTC, datetime, timedelta

from gatehouse.problems.errors import BadRequest

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
THREAD = re.compile(r"t([0-9]{1,17})-([0-9a-f-]{36})")
AUDIT = re.compile(r"a([0-9]{1,17})-([0-9a-f-]{36})")
APPROVAL = re.compile(r"p([0-9a-f-]{36})")
MESSAGE = re.compile(r"m([0-9]{1,9})")


def thread_cursor(updated_at: datetime, thread_id: str) -> str:
    """Return the cursor of the page that begins after this thread."""
    return _written(f"t{_microseconds(updated_at)}-{thread_id}")


def read_thread_cursor(cursor: str) -> tuple[datetime, str]:
    """Return `updated_at` and id of the thread before the page. Raises BadRequest."""
    match = _read(cursor, THREAD)
    return _moment(match[1]), match[2]


def audit_cursor(time: datetime, row_id: str) -> str:
    """Return the cursor of the page that begins after this row of the audit log."""
    return _written(f"a{_microseconds(time)}-{row_id}")


def read_audit_cursor(cursor: str) -> tuple[datetime, str]:
    """Return time and id of the row before the page. Raises BadRequest."""
    match = _read(cursor, AUDIT)
    return _moment(match[1]), match[2]


def approval_cursor(approval_id: str) -> str:
    """Return the cursor of the page that begins after this approval."""
    return _written(f"p{approval_id}")


def read_approval_cursor(cursor: str) -> str:
    """Return the id of the approval before the page. Raises BadRequest."""
    return _read(cursor, APPROVAL)[1]


def message_cursor(position: int) -> str:
    """Return the cursor of the page that begins after this message."""
    return _written(f"m{position}")


def read_message_cursor(cursor: str) -> int:
    """Return the position of the message before the page. Raises BadRequest."""
    return int(_read(cursor, MESSAGE)[1])


def _microseconds(time: datetime) -> int:
    return (time - EPOCH) // timedelta(microseconds=1)


def _moment(microseconds: str) -> datetime:
    return EPOCH + timedelta(microseconds=int(microseconds))


def _written(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read(cursor: str, pattern: re.Pattern[str]) -> re.Match[str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    match = pattern.fullmatch(text)
    if match is None:
        raise BadRequest("This is no cursor of this list: take it as the page before gave it.")
    return match
