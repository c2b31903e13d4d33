"""What Redis answers, with the types it has: redis-py's leave open whether a client decodes; ours do not."""

from typing import Any

from gatehouse.runs.events import Cursor, Record
from gatehouse.storage.redis.slots import untagged


def text(reply: Any) -> str:
    """Return a string reply."""
    return str(reply.decode())


def optional(reply: Any) -> str:
    """Return a string reply, empty where there is none."""
    return "" if reply is None else text(reply)


def fields(reply: Any) -> dict[bytes, bytes]:
    """Return a hash."""
    return dict(reply)


def records(entries: Any) -> list[Record]:
    """Return the records in the entries of a run's log (`gatehouse.runs.log.log.packed`)."""
    return [record for entry_id, content in entries for record in _unpacked(entry_id, content[b"records"])]


def streams(reply: Any) -> list[tuple[str, list[Any]]]:
    """Return what XREAD found, as names of keys and entries.

    RESP2 has a list of pairs. RESP3, which a redis:// URL may ask for, has a dict whose lists of entries
    stand in a list of their own.
    """
    if isinstance(reply, dict):
        return [(untagged(text(key)), entries) for key, [entries] in reply.items()]
    return [(untagged(text(key)), entries) for key, entries in reply or []]


def _unpacked(entry_id: bytes, content: bytes) -> list[Record]:
    """Return the records of an entry: their sequences are dense, and the last one's is the entry's own."""
    attempt, _, last = entry_id.partition(b"-")
    lines = content.split(b"\n")
    found = []
    for sequence, line in enumerate(lines, int(last) - len(lines) + 1):
        kind, _, data = line.partition(b" ")
        found.append(Record(Cursor(int(attempt), sequence), kind.decode(), data))
    return found
