"""What callers ask about runs across replicas: stop one, start one only once, one run a thread at a time."""

import hashlib
from math import ceil

from redis.asyncio import Redis

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import InvalidInput
from gatehouse.runs import replies
from gatehouse.runs.records import RunRecord, run_key
from gatehouse.storage.digest import digest_of
from gatehouse.storage.redis.script import COMMAND_SECONDS, Clustered, Script

WAITING_SECONDS = 3.0
GOING_ON = ("running", "waiting")
STARTING_SECONDS = 30.0  # in which a run that has its thread is stored; no database waits longer

# Only a run that is still known is marked: HSET alone would bring an expired one back as a fragment.
MARK_CANCELLED = """
if redis.call('HGET', KEYS[1], 'state') ~= 'running' then return 0 end
redis.call('HSET', KEYS[1], 'cancel', ARGV[1])
return 1
"""

# Runs of a thread take it in the order in which they asked. Those that wait say so every second: one whose
# process is gone loses its place. Returns 1 when the run has the thread, else the id of the run before it.
# The run that has the thread is not stored yet for a moment: until then it counts as one that waits.
# KEYS: thread, its queue. ARGV: id, seconds that the thread is held at most, two that follow below, ms that
# one waits without a word, ms that one may take to be stored.
CLAIM_THREAD = """
if not redis.call('LPOS', queue, me) then redis.call('RPUSH', queue, me) end
redis.call('SET', holder .. ':waits:' .. me, '1', 'PX', ARGV[5])
local head = redis.call('LINDEX', queue, 0)
while head ~= me and not waits(head) do
  redis.call('LPOP', queue)
  head = redis.call('LINDEX', queue, 0)
end
redis.call('EXPIRE', queue, ARGV[2])
local running = redis.call('GET', holder)
if running and goes_on(running) then return running end
if head ~= me then return head end
redis.call('LPOP', queue)
redis.call('SET', holder, me, 'EX', ARGV[2])
redis.call('PEXPIRE', holder .. ':waits:' .. me, ARGV[6])
return 1
"""

# Gives a thread back, or the place in its queue.
LEAVE = """
local function leave(thread, queue, run)
  redis.call('LREM', queue, 0, run)
  redis.call('DEL', thread .. ':waits:' .. run)
  if redis.call('GET', thread) == run then redis.call('DEL', thread) end
end
"""

WAITS = """
local holder, queue, me = KEYS[1], KEYS[2], ARGV[1]
local function waits(run) return redis.call('EXISTS', holder .. ':waits:' .. run) == 1 end
"""

# What a run's key begins and ends with are ARGV 3 and 4.
CLAIM_THREAD_HERE = (
    WAITS
    + """
local function goes_on(run)
  local state = redis.call('HGET', ARGV[3] .. run .. ARGV[4], 'state')
  return state == 'running' or state == 'waiting' or not state and waits(run)
end
"""
    + CLAIM_THREAD
)

# On a cluster the run may be on another server. ARGV 3 is a run that does not go on, 4 whether it is known.
CLAIM_THREAD_ON_CLUSTER = (
    WAITS
    + """
local function goes_on(run) return run ~= ARGV[3] or ARGV[4] == '' and waits(run) end
"""
    + CLAIM_THREAD
)

LEAVE_THREAD = LEAVE + "leave(KEYS[1], KEYS[2], ARGV[1])"

CLAIM_KEY = """
local found = redis.call('GET', KEYS[1])
if found then return found end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return ARGV[1]
"""


def viewers_key(run_id: str) -> str:
    return f"gh:{{{run_id}}}:viewers"


def thread_keys(run: RunRecord) -> tuple[str, str]:
    """Return the keys of a run's thread. Each user has their own: a claim comes before the thread is read."""
    thread = thread_key(run.principal, run.thread_id or "")
    return thread, f"{thread}:queue"


def thread_key(principal: Principal, thread_id: str) -> str:
    return "gh:thread:" + own_name(principal, thread_id)


def idempotency_key(principal: Principal, key: str) -> str:
    return "gh:idempotency:" + own_name(principal, key)


def claim_of(run_id: str, body: bytes) -> str:
    """Return what an Idempotency-Key says: the run that it began, and with which body."""
    return f"{run_id} {hashlib.sha256(body).hexdigest()}"


def own_name(principal: Principal, name: str) -> str:
    """Return a name that no other principal's can equal."""
    return digest_of(principal.tenant_id, principal.user_id, name)


class Control:
    """The state in Redis that these questions need."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self._on_cluster = isinstance(redis, Clustered)
        claim = CLAIM_THREAD_ON_CLUSTER if self._on_cluster else CLAIM_THREAD_HERE
        self._claim_thread = Script(redis, claim, COMMAND_SECONDS)
        self._leave_thread = Script(redis, LEAVE_THREAD, COMMAND_SECONDS)
        self._claim_key = Script(redis, CLAIM_KEY, COMMAND_SECONDS)

    async def mark_cancelled(self, run_id: str, why: str) -> bool:
        """Note that the run is to stop, for whoever executes it next; False when it has ended."""
        return bool(await self.redis.eval(MARK_CANCELLED, 1, run_key(run_id), why))

    async def claim_thread(self, run: RunRecord, seconds: float) -> str | None:
        """Return None when the run has its thread now, else the id of the run that comes before it."""
        if not self._on_cluster:
            prefix, suffix = run_key("\0").split("\0")
            return await self._claimed(run, seconds, prefix, suffix)
        before = await self._claimed(run, seconds, "", "")
        if before is None:
            return None
        state = replies.optional(await self.redis.hget(run_key(before), "state"))
        if state in GOING_ON:
            return before
        return await self._claimed(run, seconds, before, state)

    async def _claimed(self, run: RunRecord, seconds: float, *known: str) -> str | None:
        times = (int(WAITING_SECONDS * 1000), int(STARTING_SECONDS * 1000))
        before = await self._claim_thread(thread_keys(run), (run.id, ceil(seconds), *known, *times))
        return None if before == 1 else replies.text(before)

    async def run_of(self, principal: Principal, thread_id: str) -> str | None:
        """Return the run that has the thread, or None when it is free or that run has ended."""
        holder = await self.redis.get(thread_key(principal, thread_id))
        if holder is None:
            return None
        run_id = replies.text(holder)
        state = replies.optional(await self.redis.hget(run_key(run_id), "state"))
        return run_id if state in ("", *GOING_ON) else None

    async def leave_thread(self, run: RunRecord) -> None:
        """Give the thread back, or the place in its queue."""
        await self._leave_thread(thread_keys(run), (run.id,))

    async def claim_key(
        self, principal: Principal, key: str, body: bytes, run_id: str, seconds: float
    ) -> str:
        """Return the run that this principal started with this Idempotency-Key: `run_id` if it is the first.

        The claim lasts for `seconds`, unless the run is stored meanwhile, and then for as long as the run is
        known: a process that is killed before must not keep the key from those who ask again. Raises
        InvalidInput when the key was used with another body.
        """
        mine = claim_of(run_id, body)
        found = await self._claim_key((idempotency_key(principal, key),), (mine, ceil(seconds)))
        first, _, digest = found.decode().partition(" ")
        if digest != mine.partition(" ")[2]:
            raise InvalidInput("This Idempotency-Key was used with another body.")
        return str(first)

    async def watched_elsewhere(self, run_id: str, now: float) -> bool:
        """Tell whether another process has a viewer of the run."""
        return bool(await self.redis.zcount(viewers_key(run_id), now, "+inf"))

    async def note_viewers(self, run_ids: list[str], owner: str, until: float) -> list[str]:
        """Say that this process has viewers of these runs, which others execute, until that Unix time.

        Return the ids of those that were erased or have expired.
        """
        pipeline = self.redis.pipeline(transaction=False)
        for run_id in run_ids:
            pipeline.zadd(viewers_key(run_id), {owner: until})
            pipeline.expire(viewers_key(run_id), 600)
            pipeline.exists(run_key(run_id))
        answers = await pipeline.execute()
        return [run_id for run_id, known in zip(run_ids, answers[2::3], strict=True) if not known]
