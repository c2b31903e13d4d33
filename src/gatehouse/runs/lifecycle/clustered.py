"""The scripts of a run's life on a cluster, where a run and its caller's limits are on two servers.

What is one step on a single Redis is two here, in an order that is safe when the process dies in between.
A start is charged, then stored, then holds its thread and its Idempotency-Key: what was taken for a run that
was never stored frees itself. An end is stored first, and with it a note of what is left to do; that is done
once, however often it is tried, by this process or by one that finds the note (docs/adr/0028).
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gatehouse.background import all_of
from gatehouse.limits.reservations import NOTHING_HELD, Hold, Settlement
from gatehouse.limits.scripts import HOLD, SETTLE
from gatehouse.plain_json import from_json, json_bytes
from gatehouse.runs.clock import Clock
from gatehouse.runs.events import Record
from gatehouse.runs.lifecycle.attempts import (
    NO_RESERVATION,
    UNWELL,
    WELL_AT,
    WELL_FOR,
    Attempts,
    Renewed,
    lease_key,
    renewed_of,
)
from gatehouse.runs.lifecycle.control import LEAVE_THREAD, thread_keys
from gatehouse.runs.lifecycle.scripts import FINISH, RENEW, WAIT, WELL
from gatehouse.runs.records import RunRecord, run_key
from gatehouse.storage.redis.cluster.client import beside, everywhere
from gatehouse.storage.redis.script import COMMAND_SECONDS, Clustered, Script
from gatehouse.storage.redis.slots import tag_of_run
from gatehouse.storage.redis.words import words_of

log = structlog.get_logger(__name__)

ENDINGS = "gh:runs:endings"  # what is left to do of ends, by run and attempt
ENDINGS_AT_ONCE = 100
SETTLED_SECONDS = 3600  # for which an end that was settled is not settled again
LEAST_BEAT_SECONDS = 0.5

# An end that is stored takes a note with it. KEYS: as the script has them, then the notes. ARGV: as it has
# them, then the note's name and the note.
WITH_NOTE = """
local note, name, notes = table.remove(ARGV), table.remove(ARGV), table.remove(KEYS)
local function ended()
%s
end
local answer = ended()
if answer == 1 then redis.call('HSET', notes, name, note) end
return answer
"""

# Settles an end once. KEYS: what was held, and whether it was settled. ARGV: slot, reservation, tokens used,
# seconds to know it.
SETTLE_ONCE = (
    SETTLE
    + """
local settled = table.remove(KEYS)
if redis.call('SET', settled, '1', 'NX', 'EX', ARGV[4]) then settle(KEYS, ARGV[1], ARGV[2], ARGV[3]) end
"""
)

# KEYS: what is to be held. ARGV: lease in ms, slot, reservation, and what is allowed. 0: there is no room.
TAKE_PLACE = (
    HOLD
    + """
local allowed = {}
for at = 4, 7 do allowed[at - 3] = tonumber(ARGV[at]) end
if not fits(KEYS, ARGV[2], ARGV[3], allowed) then return 0 end
hold(KEYS, ARGV[2], ARGV[3], tonumber(ARGV[1]))
return 1
"""
)

# KEYS: what is held. ARGV: slot, reservation.
LET_GO = HOLD + "let_go(KEYS, ARGV[1], ARGV[2])"

# An Idempotency-Key that is still this run's is known as long as the run; or is free again (0 seconds).
# KEYS: the key. ARGV: id, seconds.
KEEP_CLAIM = """
local claim = redis.call('GET', KEYS[1])
if not claim or string.sub(claim, 1, #ARGV[1] + 1) ~= ARGV[1] .. ' ' then return 0 end
if ARGV[2] == '0' then return redis.call('DEL', KEYS[1]) end
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""


@dataclass(frozen=True, slots=True)
class Ending:
    """What is left to do when the end of a run, or of an attempt that waits, is stored."""

    run_id: str
    attempt: int
    at: float  # Unix seconds
    thread: tuple[str, ...]
    idempotency: str
    seconds: int  # to know thread and Idempotency-Key; the thread is given back where the run has ended
    over: bool
    keys: tuple[str, ...]  # of what was held
    settles: tuple[str, str, int]

    @property
    def name(self) -> str:
        return f"{self.run_id}:{self.attempt}"


class ClusteredAttempts(Attempts):
    """Leases of one process, over a cluster."""

    def __init__(
        self, redis: Redis, owner: str, lease: float, keep: float, clock: Clock | None = None
    ) -> None:
        super().__init__(redis, owner, lease, keep, clock)
        self._finish = Script(redis, WITH_NOTE % FINISH, COMMAND_SECONDS)
        self._wait = Script(redis, WITH_NOTE % WAIT, COMMAND_SECONDS)
        self._settle = Script(redis, SETTLE_ONCE, COMMAND_SECONDS)
        self._take_place = Script(redis, TAKE_PLACE, COMMAND_SECONDS)
        self._let_go = Script(redis, LET_GO, COMMAND_SECONDS)
        self._keep_claim = Script(redis, KEEP_CLAIM, COMMAND_SECONDS)
        self._leave_thread = Script(redis, LEAVE_THREAD, COMMAND_SECONDS)
        # a server that is away is not to cost the runs on others their leases: with the pause between two
        # beats this is less than a lease
        beat = max(lease / 2, LEAST_BEAT_SECONDS)
        self._well = Script(redis, WELL, beat)
        self._renew = Script(redis, RENEW, beat)
        self._done: list[Ending] = []  # whose notes are not deleted yet

    @property
    def charges_with_run(self) -> bool:
        return False

    def _named(self, _run: RunRecord, /) -> tuple[str, str, str]:
        """Return none: they are on other servers than the run."""
        return ("", "", "")

    async def create(self, run: RunRecord, hold: Hold = NOTHING_HELD, claim: str = "") -> bool:
        """Store a new run, then let it have its thread and its key. `hold` was taken with its admission."""
        keys, arguments = self._stored(run, claim, (), hold.arguments[:3])
        if not await self._create(keys, arguments):
            return False
        known_for = arguments[1]
        await all_of(
            [
                *((self.redis.set(thread_keys(run)[0], run.id, ex=known_for),) if run.opens_thread else ()),
                *((self._claimed(run.idempotency, run.id, known_for),) if run.idempotency else ()),
            ]
        )
        return True

    async def undo(self, run: RunRecord, hold: Hold = NOTHING_HELD) -> None:
        await super().undo(run)
        await all_of(
            [
                *((self._leave_thread(thread_keys(run), (run.id,)),) if run.thread_id else ()),
                *((self._claimed(run.idempotency, run.id, 0),) if run.idempotency else ()),
                *((self._let_go(hold.keys, hold.arguments[1:3]),) if hold.keys else ()),
            ]
        )

    async def _claimed(self, key: str, run_id: str, seconds: int) -> None:
        await self._keep_claim((key,), (run_id, seconds))

    async def take(self, run_id: str, hold: Hold = NOTHING_HELD) -> int:
        """Take the run's place in the limits, then the run; the place is given back when that has ended."""
        if hold.keys and not await self._take_place(hold.keys, hold.arguments):
            return -1
        well = (beside(self.redis, name, run_id) for name in (WELL_AT, UNWELL))
        arguments = (self.owner, self.lease_ms, int(WELL_FOR * self.lease_ms))
        taken = int(await self._take((run_key(run_id), lease_key(run_id), *well), arguments))
        if hold.keys and not taken:
            state = await self.redis.hget(run_key(run_id), "state")
            if state != b"running":
                await self._let_go(hold.keys, hold.arguments[1:3])
        return taken

    async def finish(
        self,
        run: RunRecord,
        records: Sequence[Record],
        settlement: Settlement = NO_RESERVATION,
        answer: bytes = b"",
        checkpoints_of: str = "",
    ) -> bool:
        keys, arguments = self._finished(run, records, NO_RESERVATION, answer, checkpoints_of)
        ending = self._ending(run, settlement, ceil(self.keep), over=True)
        return await self._ended(self._finish, keys, arguments, ending) == 1

    async def wait(
        self, run: RunRecord, records: Sequence[Record], settlement: Settlement, seconds: int
    ) -> int:
        keys, arguments = self._waiting(run, records, NO_RESERVATION, seconds)
        ending = self._ending(run, settlement, seconds, over=False)
        return await self._ended(self._wait, keys, arguments, ending)

    def _ending(self, run: RunRecord, settlement: Settlement, seconds: int, over: bool) -> Ending:
        thread = thread_keys(run) if run.thread_id else ()
        return Ending(
            run.id, run.attempt, self.clock.now(), thread, run.idempotency, seconds, over,
            settlement.keys, settlement.arguments,
        )  # fmt: skip

    async def _ended(
        self, script: Script, keys: Sequence[str], arguments: Sequence[Any], ending: Ending
    ) -> int:
        """Store an end, and do what is left of it."""
        notes = beside(self.redis, ENDINGS, ending.run_id)
        answer = int(await script((*keys, notes), (*arguments, ending.name, json_bytes(ending))))
        if answer == 1:
            await self._complete(ending)
            self._done.append(ending)
        return answer

    async def _complete(self, ending: Ending) -> None:
        """Do what is left of an end. To do so again does nothing."""
        run_id, seconds = ending.run_id, ending.seconds
        work: list[Awaitable[Any]] = []
        if ending.thread and ending.over:
            work.append(self._leave_thread(ending.thread, (run_id,)))
        elif ending.thread:
            work.append(self.redis.expire(ending.thread[0], seconds))
        if ending.idempotency:
            work.append(self._claimed(ending.idempotency, run_id, seconds))
        if ending.keys:
            tag = ending.keys[0].partition("}")[0] + "}"
            settled = f"{tag}gh:limits:settled:{ending.name}"
            work.append(self._settle((*ending.keys, settled), (*ending.settles, SETTLED_SECONDS)))
        await all_of(work)

    async def settle_left(self, now: float) -> None:
        """Do what processes that are gone have left undone of ends. Raises RedisError when all was tried."""
        await self._forget_notes()
        await all_of(self._settle_left(notes, now) for notes in everywhere(self.redis, ENDINGS))

    async def _settle_left(self, notes: str, now: float) -> None:
        reply: Any = await self.redis.hscan(notes, count=ENDINGS_AT_ONCE)
        for name, note in reply[1].items():
            ending = ending_of(note)
            if ending.at < now - self.lease:
                await self._complete(ending)
                await self.redis.hdel(notes, name.decode())

    async def _forget_notes(self) -> None:
        """Delete the notes of ends that are done with."""
        done, self._done = self._done, []
        by_notes: defaultdict[str, list[str]] = defaultdict(list)
        for ending in done:
            by_notes[beside(self.redis, ENDINGS, ending.run_id)].append(ending.name)
        try:
            await all_of(self.redis.hdel(notes, *names) for notes, names in by_notes.items())
        except (RedisError, OSError) as error:  # a sweep finds them, and that nothing is left to do
            log.warning("notes of ends stay", error=type(error).__name__, **words_of(error))

    async def go_on(self, run: RunRecord, attempt: int, seconds: int, fields: Mapping[str, Any]) -> int:
        answer = await super().go_on(run, attempt, seconds, fields)
        if answer == 1:
            await all_of(
                [
                    *((self.redis.expire(thread_keys(run)[0], seconds),) if run.thread_id else ()),
                    *((self._claimed(run.idempotency, run.id, seconds),) if run.idempotency else ()),
                ]
            )
        return answer

    async def restore(self, run: RunRecord, seconds: int) -> None:
        await super().restore(run, seconds)
        if run.thread_id:
            await self.redis.set(thread_keys(run)[0], run.id, nx=True, ex=seconds)

    async def well(self) -> float:
        """Say that this process is well to every shard; return the time by one that has heard it.

        Raises RedisError when none has.
        """
        shards = zip(everywhere(self.redis, WELL_AT), everywhere(self.redis, UNWELL), strict=True)
        answers = await asyncio.gather(*map(self._well_at, shards), return_exceptions=True)
        if heard := [answer for answer in answers if not isinstance(answer, BaseException)]:
            return heard[0]
        raise next(answer for answer in answers if isinstance(answer, BaseException))

    async def renew(self, attempts: Mapping[str, int], look_again: float) -> Renewed:
        """Renew leases as on a single Redis; those of a server that does not answer are `unheard`."""
        by_shard: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for run_id, attempt in attempts.items():
            by_shard[tag_of_run(run_id)].append((run_id, attempt))
        shards = list(by_shard.values())
        told = await asyncio.gather(
            *(self._renewed(held, look_again) for held in shards), return_exceptions=True
        )
        answers: dict[str, int] = {}
        unheard: set[str] = set()
        for held, answer in zip(shards, told, strict=True):
            if isinstance(answer, RedisError | OSError):
                unheard.update(run_id for run_id, _ in held)
            elif isinstance(answer, BaseException):
                raise answer
            else:
                answers |= answer
        return replace(renewed_of(answers), unheard=frozenset(unheard))


def ending_of(note: bytes) -> Ending:
    """Return the ending that a note tells of."""
    fields = from_json(note)
    return Ending(**{**fields, **{name: tuple(fields[name]) for name in ("thread", "keys", "settles")}})


def attempts_of(redis: Redis, owner: str, lease: float, keep: float, clock: Clock | None = None) -> Attempts:
    """Return the leases of one process, over a single Redis or a cluster."""
    of = ClusteredAttempts if isinstance(redis, Clustered) else Attempts
    return of(redis, owner, lease, keep, clock)
