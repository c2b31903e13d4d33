"""The runs that one WebSocket follows."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from typing import Any

from gatehouse.approvals.deciders import DECIDE
from gatehouse.identity.principal import READ_RUNS, WRITE_RUNS, Principal
from gatehouse.limits.admission import Admission
from gatehouse.problems.draining import Restarting
from gatehouse.problems.errors import ApiError, Conflict, InsufficientScope
from gatehouse.runs.events import BEGINNING, Cursor, End, Record, parse_cursor, record
from gatehouse.runs.records import RunRecord
from gatehouse.services import Services
from gatehouse.wires.projection import Fold
from gatehouse.wires.questions import start
from gatehouse.wires.websocket.commands import Cancel, Decide, MessageCommand, Resume, subject_of
from gatehouse.wires.websocket.projection import Texts, Vocabulary, dumped
from gatehouse.wires.websocket.writer import SERVICE_RESTART, Leave, Writer

MAX_FOLLOWED = 8
BURST = 64  # records after which a run that has many ready lets others have the event loop


class TooManyRuns(ApiError):
    """The socket follows as many runs as it may."""

    status = 429
    kind = "too-many-runs"
    default_detail = f"A socket follows at most {MAX_FOLLOWED} runs. Wait for one to end."


class Viewers:
    """Starts, joins and stops runs for `principal`: a task of `tasks` for each that the socket follows.

    A run does not end with its viewer. What becomes of it is the engine's to decide.
    """

    def __init__(
        self,
        services: Services,
        principal: Principal,
        vocabulary: Vocabulary,
        writer: Writer,
        tasks: asyncio.TaskGroup,
    ) -> None:
        self.services = services
        self.runs = services.runs
        self.principal = principal
        self.vocabulary = vocabulary
        self.writer = writer
        self.tasks = tasks
        self.viewing: set[asyncio.Task[None]] = set()
        self.followed: set[str] = set()
        self.last_left = time.monotonic()

    async def add(self, command: MessageCommand | Resume) -> None:
        """Follow the run that the command starts or names, in a task: it may have to wait for its thread."""
        if len(self.viewing) == MAX_FOLLOWED:
            await self.writer.tell(TooManyRuns(), **subject_of(command))
            return
        work = self._start(command) if isinstance(command, MessageCommand) else self._resume(command)
        viewer = self.tasks.create_task(work, name="websocket viewer")
        self.viewing.add(viewer)
        viewer.add_done_callback(self._left)

    async def cancel(self, command: Cancel) -> None:
        """Stop the caller's run; its viewers see it end."""
        async with self.writer.telling(run_id=command.run_id):
            await self.runs.get(self.principal, command.run_id, WRITE_RUNS)
            await self.runs.cancel(command.run_id)

    async def decide(self, command: Decide) -> None:
        """Decide on an approval, and send what became of it: the run goes on, and can be resumed."""
        async with self.writer.telling(**subject_of(command)):
            if not (self.principal.may(READ_RUNS) or self.principal.may(DECIDE)):
                raise InsufficientScope(READ_RUNS)
            wanted = command.decide
            approval = await self.services.approvals.decide(
                self.principal, wanted.id, wanted.decision_alone()
            )
            told = approval.model_dump(mode="json", by_alias=True)
            await self.writer.send(dumped({"type": "approval_decided", "approval": told}))

    def _left(self, viewer: asyncio.Task[None]) -> None:
        self.viewing.discard(viewer)
        self.last_left = time.monotonic()

    async def _start(self, message: MessageCommand) -> None:
        async with self.writer.telling(**subject_of(message)):
            key = message.idempotency_key
            admission = Admission(self.services.limits.limiter, self.principal)
            try:
                started = await start(self.services, self.principal, message.chat(), key, admission)
            finally:
                with suppress(ApiError):  # one that was refused before it was charged counts too
                    await admission.charge()
                await admission.close()
            await self._follow(started.run, BEGINNING, self.vocabulary(started.run, key))

    async def _resume(self, command: Resume) -> None:
        async with self.writer.telling(**subject_of(command)):
            cursor = parse_cursor(command.last_event_id)
            run = await self.runs.get(self.principal, command.run_id)
            if cursor > BEGINNING:
                self.runs.observer.resumed("websocket")
            await self._follow(run, cursor, self.vocabulary(run))

    async def _follow(self, run: RunRecord, cursor: Cursor, wire: Fold[Texts]) -> None:
        """Send the run's records after the cursor, up to its end, unless this socket does so already."""
        async with self.writer.telling(run_id=run.id):
            if run.id in self.followed:
                raise Conflict("This socket follows the run already.", run_id=run.id)
            self.followed.add(run.id)
            try:
                if not await self._send(self.runs.view(run.id, cursor), wire):
                    # a client that resumes at the end asked, and gets an answer
                    await self._send(end_of(await self.runs.get(self.principal, run.id)), wire)
            except Restarting:  # another replica reads on after the last frame
                raise Leave(SERVICE_RESTART, "service restart") from None
            finally:
                self.followed.discard(run.id)

    async def _send(self, records: AsyncIterator[list[Record]], wire: Fold[Texts]) -> bool:
        """Send what there is; False when there is nothing."""
        ready: list[Record] = []
        async with aclosing(records):  # type: ignore[type-var]  # a generator
            async for ready in records:
                for at in range(0, len(ready), BURST):
                    if at:
                        await asyncio.sleep(0)
                    frames = [frame for item in ready[at : at + BURST] for frame in wire.frames(item)]
                    await self.writer.send(*frames)
        return bool(ready)


async def end_of(run: RunRecord) -> AsyncIterator[list[Record]]:
    """Yield the end of a run that has ended, again."""
    status: Any = run.state
    yield [record(run.last_event, End(status=status))]
