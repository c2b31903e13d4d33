"""Where a Redis Cluster keeps what it is told: which slot a key is in, and the tags that bring keys together.

On a cluster a key is its name on a single Redis behind a tag: `{17}gh:{<run id>}:run`. Redis hashes what
stands in the first braces, so all keys with one tag are in one slot, and a script may touch them together.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import count
from typing import Any

from redis.crc import key_slot

SLOTS = 16_384
SHARDS = 32  # of runs: each, with all that is kept beside its runs, is one slot

# A key that stands for none is '' to a script, but a cluster looks for the slot of each: it is told the first
# key again.
PRELUDE = """
local NAMED = {}
for at, key in ipairs(KEYS) do NAMED[at] = at > 1 and key == KEYS[1] and '' or key end
local KEYS = NAMED
"""

KEYLESS = frozenset({"PING", "TIME", "INFO", "SCAN", "CLUSTER"})
ALL_KEYS = frozenset({"DEL", "EXISTS", "UNLINK"})
SCRIPTS = frozenset({"EVAL", "EVALSHA"})

_RUN, _THREAD = "gh:{", "gh:thread:"
_DIGEST = 64  # characters of a thread's name


def evenly_spread(shards: int) -> tuple[str, ...]:
    """Return a tag for each shard, the n-th in the n-th equal part of the slots: primaries have as many."""
    tags: dict[int, str] = {}
    for number in count():
        tags.setdefault(key_slot(str(number).encode()) * shards // SLOTS, str(number))
        if len(tags) == shards:
            return tuple(tags[shard] for shard in range(shards))
    raise AssertionError


TAGS = evenly_spread(SHARDS)


@lru_cache(10_000)
def tag_of_run(run_id: str) -> str:
    """Return the tag of the shard that a run is in."""
    return TAGS[key_slot(run_id.encode()) % SHARDS]


def tagged(tag: str, name: str) -> str:
    return f"{{{tag}}}{name}"


def placed(name: str) -> str:
    """Return a key by its name on a single Redis; one that has its tag is returned as it is.

    A run's keys are in its shard, a thread's in a slot of their own. Any other key is by itself.
    """
    if name.startswith(_RUN):
        return tagged(tag_of_run(name[len(_RUN) :].partition("}")[0]), name)
    if name.startswith(_THREAD):
        return tagged(name[len(_THREAD) : len(_THREAD) + _DIGEST], name)
    return name


def untagged(key: str) -> str:
    """Return the name that `placed` was given."""
    return key.partition("}")[2] if key.startswith("{") else key


def placed_pattern(pattern: str) -> str:
    """Return what matches the keys whose names on a single Redis match a pattern."""
    return "{*}" + pattern if pattern.startswith((_RUN, _THREAD)) else pattern


def slot_of(key: str) -> int:
    return int(key_slot(key.encode()))


def by_slot(names: Iterable[str]) -> Iterator[list[str]]:
    """Yield the names whose keys are in one slot together."""
    together: dict[int, list[str]] = {}
    for name in names:
        together.setdefault(slot_of(placed(name)), []).append(name)
    yield from together.values()


def routed(command: Sequence[Any]) -> tuple[list[Any], int | None]:
    """Return a command with its keys where a cluster has them, and their slot; None where it has no key.

    All its keys are in one slot: that of the first.
    """
    name = str(command[0]).partition(" ")[0].upper()
    if name in KEYLESS:
        return list(command), None
    at = _keys_of(name, command)
    if at.start == at.stop:
        return list(command), None
    keys = [placed(text_of(key)) for key in command[at]]
    return [*command[: at.start], *(key or keys[0] for key in keys), *command[at.stop :]], slot_of(keys[0])


def _keys_of(name: str, command: Sequence[Any]) -> slice:
    """Return where the keys of a command stand."""
    if name in SCRIPTS:
        return slice(3, 3 + int(command[2]))
    if name in ALL_KEYS:
        return slice(1, len(command))
    if name == "XREAD":
        words = [word.upper() if isinstance(word, str | bytes) else word for word in command]
        first = next(at for at, word in enumerate(words) if word in ("STREAMS", b"STREAMS")) + 1
        return slice(first, first + (len(command) - first) // 2)
    return slice(1, 2)


def text_of(key: Any) -> str:
    """Return a key that a client was given, as text."""
    return key.decode() if isinstance(key, bytes) else str(key)
