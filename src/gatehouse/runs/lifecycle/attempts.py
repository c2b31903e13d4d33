"""Who executes a run: a lease that its process renews, and that another takes after a crash.

Every change to a run's state goes through a script that checks the attempt, so that a process which was
paused and has lost its lease changes nothing when it wakes up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from redis.asyncio import Redis

from gatehouse.limits.reservations import Settlement
from gatehouse.limits.scripts import SETTLE
from gatehouse.runs import replies
from gatehouse.runs.accounts import ACCOUNTS, account_of
from gatehouse.runs.events import Cursor, Record
from gatehouse.runs.lifecycle.control import thread_keys
from gatehouse.runs.log.log import log_key, packed
from gatehouse.runs.records import RunRecord, run_key
from gatehouse.storage.script import COMMAND_SECONDS, Script

ACTIVE = "gh:runs:active"  # the ids of runs that have not ended, by when somebody should look after them

# A client repeats a command whose reply was lost with the connection: what it has done it may do again.
CREATE = """
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.pcall('XADD', KEYS[2], 'MAXLEN', 0, '0-1', 'records', '')
redis.call('EXPIRE', KEYS[2], ARGV[2])
redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[4])
redis.call('ZADD', KEYS[4], ARGV[5], ARGV[1])
if KEYS[5] then redis.call('SET', KEYS[5], ARGV[1], 'EX', ARGV[2]) end
"""

# Refuses when the run has ended or another process holds it; else the caller has the next attempt. One that
# asks again has it already: a client repeats a command whose reply was lost with the connection.
TAKE = """
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
local owner = redis.call('GET', KEYS[2])
if owner == ARGV[1] then return tonumber(redis.call('HGET', KEYS[1], 'attempt')) end
if owner then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return redis.call('HINCRBY', KEYS[1], 'attempt', 1)
"""

# A lease that ran out but that nobody took is taken up again: its attempt is still the newest. Returns 2
# when the run is to stop: the message that said so may not have come through.
RENEW = """
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[3] then return 0 end
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
local owner = redis.call('GET', KEYS[2])
if owner and owner ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
if redis.call('HGET', KEYS[1], 'cancel') ~= '' then return 2 end
return 1
"""

RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('HINCRBY', KEYS[3], 'handovers', 1)
redis.call('ZADD', KEYS[2], 'XX', 0, ARGV[2])
return redis.call('DEL', KEYS[1])
"""

# The text is saved before the records that tell it go.
TRIM = """
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
redis.call('HSET', KEYS[1], 'text', ARGV[2], 'text_cursor', ARGV[3])
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[4])
return 1
"""

# The last records, the outcome, the account, what it held of its caller's limits and the expiry in one step:
# a run is never ended by halves. KEYS from the sixth on are those of what it held, if it held anything.
FINISH = (
    SETTLE
    + """
if redis.call('HGET', KEYS[1], 'attempt') ~= ARGV[1] then return 0 end
redis.call('ZREM', KEYS[5], ARGV[5])
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 1 end
redis.call('XADD', KEYS[3], ARGV[3], 'records', ARGV[4])
redis.call('HSET', KEYS[4], ARGV[5], ARGV[6])
redis.call('HSET', KEYS[1], unpack(ARGV, 10))
if KEYS[6] then settle({unpack(KEYS, 6)}, ARGV[7], ARGV[8], ARGV[9]) end
redis.call('DEL', KEYS[2])
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[3], ARGV[2])
return 1
"""
)
NO_RESERVATION = Settlement((), ("", "", 0))


def lease_key(run_id: str) -> str:
    return f"gh:{{{run_id}}}:lease"


@dataclass(frozen=True, slots=True)
class Renewed:
    """The runs that another process has now, and those that are to be stopped."""

    lost: frozenset[str] = frozenset()
    cancelled: frozenset[str] = frozenset()


class Attempts:
    """Leases of one process, whose name is `owner`; an ended run stays for `keep` seconds."""

    def __init__(self, redis: Redis, owner: str, lease: float, keep: float) -> None:
        self.redis = redis
        self.owner = owner
        self.lease = lease
        self.keep = keep
        self._create = Script(redis, CREATE, COMMAND_SECONDS)
        self._finish = Script(redis, FINISH, COMMAND_SECONDS)

    async def create(self, run: RunRecord) -> None:
        """Store a new run, with an empty log and its first attempt held by this process.

        One that opens a thread has its turn in it.
        """
        known_for = ceil(run.deadline - run.created_at + self.keep)
        keys = [run_key(run.id), log_key(run.id), lease_key(run.id), ACTIVE]
        if run.opens_thread:  # nobody knows the thread yet, so nobody can be before it
            keys.append(thread_keys(run)[0])
        look_after = run.created_at + 2 * self.lease
        arguments: list[Any] = [run.id, known_for, self.owner, self.lease_ms, look_after]
        for item in run.fields().items():
            arguments += item
        await self._create(keys, arguments)

    async def take(self, run_id: str) -> int:
        """Return the number of the attempt that this process now holds, or 0 when it may not have the run."""
        taken = await self.redis.eval(TAKE, 2, run_key(run_id), lease_key(run_id), self.owner, self.lease_ms)
        return int(taken)

    async def renew(self, attempts: Mapping[str, int], look_again: float) -> Renewed:
        """Renew the leases of these runs (id to attempt); return which of them are not to go on.

        `look_again` is when, in Unix seconds, a sweep should look after them if nothing more is heard.
        """
        if not attempts:
            return Renewed()
        pipeline = self.redis.pipeline(transaction=False)
        for run_id, attempt in attempts.items():
            pipeline.eval(RENEW, 2, run_key(run_id), lease_key(run_id), self.owner, self.lease_ms, attempt)
        pipeline.zadd(ACTIVE, dict.fromkeys(attempts, look_again))
        answers = dict(zip(attempts, await pipeline.execute(), strict=False))
        return Renewed(
            lost=frozenset(run_id for run_id, answer in answers.items() if answer == 0),
            cancelled=frozenset(run_id for run_id, answer in answers.items() if answer == 2),  # noqa: PLR2004
        )

    async def release(self, run_id: str) -> None:
        """Let another process take the run at once, and have the next sweep look for one."""
        keys = (lease_key(run_id), ACTIVE, run_key(run_id))
        await self.redis.eval(RELEASE, len(keys), *keys, self.owner, run_id)

    async def trim(self, run_id: str, below: Cursor, text: str, text_cursor: Cursor) -> None:
        """Drop the log's records below a cursor, and save the text up to `text_cursor` instead.

        Does nothing to a run that has ended or whose attempt is a newer one.
        """
        arguments = (below.attempt, text, str(text_cursor), str(below))
        await self.redis.eval(TRIM, 2, run_key(run_id), log_key(run_id), *arguments)

    async def finish(
        self, run: RunRecord, records: Sequence[Record], settlement: Settlement = NO_RESERVATION
    ) -> bool:
        """Append the last records and store the outcome; False when a newer attempt holds the run."""
        last = str(records[-1].cursor)
        arguments: list[Any] = [run.attempt, ceil(self.keep), last, packed(records), run.id, account_of(run)]
        arguments += settlement.arguments
        for item in {"state": run.state, **run.progress()}.items():
            arguments += item
        keys = (run_key(run.id), lease_key(run.id), log_key(run.id), ACCOUNTS, ACTIVE, *settlement.keys)
        return bool(await self._finish(keys, arguments))

    async def owner_of(self, run_id: str) -> str | None:
        """Return the name of the process that holds the run, or None."""
        owner = await self.redis.get(lease_key(run_id))
        return replies.text(owner) if owner else None

    async def neglected(self, now: float) -> list[str]:
        """Return the ids of runs whose process was not heard of in time."""
        found = await self.redis.zrangebyscore(ACTIVE, "-inf", now, start=0, num=100)
        return [replies.text(run_id) for run_id in found]

    async def forget(self, run_id: str) -> None:
        """Take a run that has ended out of the list of active ones."""
        await self.redis.zrem(ACTIVE, run_id)

    @property
    def lease_ms(self) -> int:
        return int(self.lease * 1000)
