"""Who executes a run: a lease that its process renews, and that another takes after a crash.

Every change to a run's state goes through a script that checks the attempt, so that a process which was
paused and has lost its lease changes nothing when it wakes up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from redis.asyncio import Redis

from gatehouse.limits.limiter import ANSWER_SECONDS
from gatehouse.limits.reservations import NOTHING_HELD, Hold, Reservation, Settlement
from gatehouse.runs import replies
from gatehouse.runs.accounts import ACCOUNTS, account_of
from gatehouse.runs.answers import ANSWERS
from gatehouse.runs.checkpoints.leftovers import LEFTOVERS
from gatehouse.runs.clock import Clock
from gatehouse.runs.events import Cursor, Record
from gatehouse.runs.lifecycle.control import thread_keys
from gatehouse.runs.lifecycle.scripts import (
    ASKED,
    BEGIN,
    CREATE,
    EXCUSE,
    FINISH,
    GO_ON,
    RELEASE,
    RENEW,
    RESTORE,
    TAKE,
    TRIM,
    UNDO,
    WAIT,
    WANT_TEXT,
    WELL,
)
from gatehouse.runs.log.dense import packed
from gatehouse.runs.log.log import log_key
from gatehouse.runs.records import RunRecord, run_key
from gatehouse.storage.redis.cluster.client import beside, everywhere
from gatehouse.storage.redis.script import COMMAND_SECONDS, Script

ACTIVE = "gh:runs:active"  # the ids of runs that have not ended, by when somebody should look after them

NEGLECTED_AT_ONCE = 100
RENEWED_AT_ONCE = 200  # in Redis a millisecond, for which nobody else is served
WELL_AT = "gh:runs:well"  # when a replica last was well, and Redis with it
UNWELL = "gh:runs:unwell"
WELL_FOR = 0.5  # leases without a word from any replica, after which Redis was not well
UNDONE_SECONDS = 600  # for which a start that was undone cannot come through any more
NO_RESERVATION = Settlement((), ("", "", 0))


def lease_key(run_id: str) -> str:
    return f"gh:{{{run_id}}}:lease"


def undone_key(run_id: str) -> str:
    return f"gh:{{{run_id}}}:undone"


@dataclass(frozen=True, slots=True)
class Renewed:
    """The runs that another process has now, those that are to be stopped, and those whose text is wanted.

    `unheard` are those whose server of a cluster did not answer: nobody knows whose they are.
    """

    lost: frozenset[str] = frozenset()
    cancelled: frozenset[str] = frozenset()
    wanted: frozenset[str] = frozenset()
    unheard: frozenset[str] = frozenset()


class Attempts:
    """Leases of one process, whose name is `owner`; an ended run stays for `keep` seconds.

    `clock` is set whenever Redis has told the time.
    """

    def __init__(
        self, redis: Redis, owner: str, lease: float, keep: float, clock: Clock | None = None
    ) -> None:
        self.redis = redis
        self.owner = owner
        self.lease = lease
        self.keep = keep
        self.clock = clock or Clock()
        self._create = Script(redis, CREATE, COMMAND_SECONDS)
        self._begin = Script(redis, BEGIN, ANSWER_SECONDS)
        self._finish = Script(redis, FINISH, COMMAND_SECONDS)
        self._take = Script(redis, TAKE, COMMAND_SECONDS)
        self._renew = Script(redis, RENEW, COMMAND_SECONDS)
        self._well = Script(redis, WELL, COMMAND_SECONDS)
        self._wait = Script(redis, WAIT, COMMAND_SECONDS)
        self._go_on = Script(redis, GO_ON, COMMAND_SECONDS)
        self._restore = Script(redis, RESTORE, COMMAND_SECONDS)
        self._undo = Script(redis, UNDO, COMMAND_SECONDS)
        self._asked = Script(redis, ASKED, COMMAND_SECONDS)

    @property
    def charges_with_run(self) -> bool:
        """Whether `create_admitted` can be used: a caller's limits and a run are in one slot."""
        return True

    async def create(self, run: RunRecord, hold: Hold = NOTHING_HELD, claim: str = "") -> bool:
        """Store a new run, with an empty log and its first attempt held by this process.

        One that opens a thread has its turn in it. `hold` is its place in its caller's limits, `claim` what
        its Idempotency-Key says. False when it was undone before.
        """
        keys, arguments = self._stored(run, claim, hold.keys, hold.arguments[:3])
        return bool(await self._create(keys, arguments))

    async def create_admitted(
        self, run: RunRecord, seat: Reservation, claim: str, limits: Sequence[str], numbers: str
    ) -> list[int] | None:
        """Store a new run as `create` does, if its caller's limits have room for `seat`, in the same step.

        Return what they answer to `numbers`, as `gatehouse.limits.scripts.ADMITTING` has it; None when the
        run was undone before.
        """
        keys, arguments = self._stored(run, claim, limits, (numbers, seat.slot, seat.member))
        answer: list[int] | int = await self._begin(keys, arguments)
        return answer if isinstance(answer, list) else None

    def _stored(
        self, run: RunRecord, claim: str, limits: Sequence[str], held: Sequence[Any]
    ) -> tuple[tuple[str, ...], list[Any]]:
        """Return the keys and arguments of a script that stores a new run."""
        known_for = ceil(run.deadline - run.created_at + self.keep)
        # nobody knows a thread that it opens, so nobody can be before it
        thread, _, key = self._named(run)
        keys = (
            run_key(run.id), log_key(run.id), lease_key(run.id), self.active(run.id), undone_key(run.id),
            thread if run.opens_thread else "", key, *limits,
        )  # fmt: skip
        look_after = run.created_at + 2 * self.lease
        arguments = [run.id, known_for, self.owner, self.lease_ms, look_after, claim, *held]
        for item in run.fields().items():
            arguments += item
        return keys, arguments

    def _named(self, run: RunRecord, /) -> tuple[str, str, str]:
        """Return the keys of a run's thread and its queue, and its Idempotency-Key, '' where it has none."""
        return (*(thread_keys(run) if run.thread_id else ("", "")), run.idempotency)

    async def undo(self, run: RunRecord, hold: Hold = NOTHING_HELD) -> None:
        """Take a start back, however far it came: the run, its place, its turn and its Idempotency-Key.

        Nothing of it that is still under way takes effect any more.
        """
        keys = (
            undone_key(run.id), run_key(run.id), log_key(run.id), lease_key(run.id), self.active(run.id),
            *self._named(run), *hold.keys,
        )  # fmt: skip
        await self._undo(keys, (run.id, UNDONE_SECONDS, *hold.arguments[1:3]))

    async def well(self) -> float:
        """Say that this process is well, and Redis with it; return Redis's time in Unix seconds."""
        return await self._well_at((WELL_AT, UNWELL))

    async def _well_at(self, keys: Sequence[str]) -> float:
        """Say so where these keys are; return the time there, in Unix seconds."""
        long = int(WELL_FOR * self.lease_ms)
        seconds, microseconds = await self._well(keys, (long, self.lease_ms))
        now = float(seconds) + float(microseconds) / 1e6
        self.clock.heard(now)
        return now

    async def take(self, run_id: str, hold: Hold = NOTHING_HELD) -> int:
        """Return the number of the attempt that this process now holds, or 0 when it may not have the run.

        -1: what the run holds of its caller's limits has lapsed, and there is no room for it now.
        """
        keys = (run_key(run_id), lease_key(run_id), WELL_AT, UNWELL, *hold.keys)
        arguments = (self.owner, self.lease_ms, int(WELL_FOR * self.lease_ms), *hold.arguments)
        return int(await self._take(keys, arguments))

    async def excuse(self, run_id: str, attempt: int) -> None:
        """Say of an attempt that another took over that its process is alive: it does not count as lost."""
        await self.redis.eval(EXCUSE, 1, run_key(run_id), attempt)

    async def renew(self, attempts: Mapping[str, int], look_again: float) -> Renewed:
        """Renew the leases of these runs (id to attempt); return which of them are not to go on.

        `look_again` is when, in Unix seconds, a sweep should look after them if nothing more is heard.
        """
        return renewed_of(await self._renewed(list(attempts.items()), look_again))

    async def _renewed(self, held: Sequence[tuple[str, int]], look_again: float) -> dict[str, int]:
        """Return by run what the script says of it. On a cluster all runs are of one shard."""
        answers: dict[str, int] = {}
        for first in range(0, len(held), RENEWED_AT_ONCE):
            part = held[first : first + RENEWED_AT_ONCE]
            keys: list[str] = [self.active(part[0][0])]
            arguments: list[Any] = [self.owner, self.lease_ms, look_again]
            for run_id, attempt in part:
                keys += (run_key(run_id), lease_key(run_id))
                arguments += (run_id, attempt)
            told = await self._renew(keys, arguments)
            answers |= zip((run_id for run_id, _ in part), told, strict=True)
        return answers

    async def asked(self, run_id: str, attempt: int) -> None:
        """Say that the thread of a run that was asked late has its question now."""
        await self._asked((run_key(run_id),), (attempt,))

    async def want_text(self, run_id: str) -> None:
        """Have the process that executes the run save its text with its next beat."""
        await self.redis.eval(WANT_TEXT, 1, run_key(run_id))

    async def release(self, run_id: str) -> None:
        """Let another process take the run at once, and have the next sweep look for one."""
        keys = (lease_key(run_id), self.active(run_id), run_key(run_id))
        await self.redis.eval(RELEASE, len(keys), *keys, self.owner, run_id)

    async def trim(self, run_id: str, below: Cursor, text: str, text_cursor: Cursor) -> None:
        """Drop the log's records below a cursor, and save the text up to `text_cursor` instead.

        Does nothing to a run that has ended or whose attempt is a newer one.
        """
        arguments = (text_cursor.attempt, text, str(text_cursor), str(below))
        await self.redis.eval(TRIM, 2, run_key(run_id), log_key(run_id), *arguments)

    async def finish(
        self,
        run: RunRecord,
        records: Sequence[Record],
        settlement: Settlement = NO_RESERVATION,
        answer: bytes = b"",
        checkpoints_of: str = "",
    ) -> bool:
        """Append the last records, store the outcome and give the run's thread back.

        False when a newer attempt holds the run. `answer` is one that its thread could not take yet: it waits
        in Redis. `checkpoints_of` is the tenant whose checkpoints the run may have left.
        """
        return bool(await self._finish(*self._finished(run, records, settlement, answer, checkpoints_of)))

    def _finished(
        self,
        run: RunRecord,
        records: Sequence[Record],
        settlement: Settlement,
        answer: bytes,
        checkpoints_of: str,
    ) -> tuple[tuple[str, ...], list[Any]]:
        """Return the keys and arguments of FINISH."""
        last = str(records[-1].cursor)
        arguments: list[Any] = [run.attempt, ceil(self.keep), last, packed(records), run.id, account_of(run)]
        arguments += [*settlement.arguments, answer, checkpoints_of]
        for item in {"state": run.state, **run.progress()}.items():
            arguments += item
        keys = (
            run_key(run.id), lease_key(run.id), log_key(run.id),
            *(beside(self.redis, name, run.id) for name in (ACCOUNTS, ACTIVE, ANSWERS, LEFTOVERS)),
            *self._named(run), *settlement.keys,
        )  # fmt: skip
        return keys, arguments

    async def wait(
        self, run: RunRecord, records: Sequence[Record], settlement: Settlement, seconds: int
    ) -> int:
        """Append the last records of an attempt and let the run wait, known for so many seconds.

        0: another process has the run, or it has ended; 1: it waits; 2: it is to be ended instead.
        """
        return int(await self._wait(*self._waiting(run, records, settlement, seconds)))

    def _waiting(
        self, run: RunRecord, records: Sequence[Record], settlement: Settlement, seconds: int
    ) -> tuple[tuple[str, ...], list[Any]]:
        """Return the keys and arguments of WAIT."""
        last = str(records[-1].cursor)
        arguments: list[Any] = [run.attempt, seconds, last, packed(records), run.id, *settlement.arguments]
        for item in {"state": "waiting", **run.progress()}.items():
            arguments += item
        thread, _, key = self._named(run)
        keys = (
            run_key(run.id), lease_key(run.id), log_key(run.id), self.active(run.id), thread, key,
            *settlement.keys,
        )  # fmt: skip
        return keys, arguments

    async def go_on(self, run: RunRecord, attempt: int, seconds: int, fields: Mapping[str, Any]) -> int:
        """Let a run that waits be taken, changed like this: 1; else what `scripts.GO_ON` says."""
        thread, _, key = self._named(run)
        keys = (run_key(run.id), log_key(run.id), self.active(run.id), thread, key)
        arguments: list[Any] = [run.id, attempt, seconds]
        for item in fields.items():
            arguments += item
        return int(await self._go_on(keys, arguments))

    async def restore(self, run: RunRecord, seconds: int) -> None:
        """Bring a run back that waits and that Redis has lost. Its log begins with its next attempt."""
        thread, _, _ = self._named(run)
        arguments: list[Any] = [run.id, seconds]
        for item in run.fields().items():
            arguments += item
        await self._restore((run_key(run.id), log_key(run.id), thread), arguments)

    async def owner_of(self, run_id: str) -> str | None:
        """Return the name of the process that holds the run, or None."""
        owner = await self.redis.get(lease_key(run_id))
        return replies.text(owner) if owner else None

    @property
    def lists(self) -> Sequence[str]:
        """The keys of the lists of active runs: one, or on a cluster one a shard."""
        return everywhere(self.redis, ACTIVE)

    def active(self, run_id: str) -> str:
        """Return the key of the list of active runs that a run is in."""
        return beside(self.redis, ACTIVE, run_id)

    async def neglected(self, now: float, after: int = 0, active: str = ACTIVE) -> list[str]:
        """Return the ids of a list's runs whose process was not heard of in time: those after so many."""
        found = await self.redis.zrangebyscore(active, "-inf", now, start=after, num=NEGLECTED_AT_ONCE)
        return [replies.text(run_id) for run_id in found]

    async def forget(self, run_id: str) -> None:
        """Take a run that has ended out of the list of active ones."""
        await self.redis.zrem(self.active(run_id), run_id)

    async def settle_left(self, now: float) -> None:
        """Do what processes that are gone have left undone of the ends of runs: here an end is one step."""

    @property
    def lease_ms(self) -> int:
        return int(self.lease * 1000)


def renewed_of(answers: Mapping[str, int]) -> Renewed:
    """Return what `scripts.RENEW` says of each run."""
    return Renewed(
        lost=frozenset(run_id for run_id, answer in answers.items() if answer == 0),
        cancelled=frozenset(run_id for run_id, answer in answers.items() if answer == 2),  # noqa: PLR2004
        wanted=frozenset(run_id for run_id, answer in answers.items() if answer == 3),  # noqa: PLR2004
    )
