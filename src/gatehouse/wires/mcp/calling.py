"""A call of a tool as a run: its steps are progress, and its answer is the tool's result."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ElicitResult,
    InputRequiredResult,
)

from gatehouse.approvals.models import Approval
from gatehouse.background import uninterrupted
from gatehouse.identity.principal import WRITE_RUNS, Principal
from gatehouse.limits.admission import Admission
from gatehouse.plain_json import from_json
from gatehouse.problems.errors import ApiError, InvalidInput, NotFound, Unavailable
from gatehouse.problems.stores import STORE_IS_AWAY
from gatehouse.registry.entry import ServedEntry
from gatehouse.runs.events import BEGINNING, Cursor, Record
from gatehouse.runs.lifecycle.starting import Started
from gatehouse.runs.records import RunRecord
from gatehouse.services import Services
from gatehouse.wires.mcp.asking import (
    Waits,
    can_be_asked,
    decision_of,
    fault_of,
    input_required,
    waits_in,
)
from gatehouse.wires.mcp.results import failed, result_of, waiting
from gatehouse.wires.mcp.tools import asked
from gatehouse.wires.projection import followed
from gatehouse.wires.questions import ChatRequest, Question, begin, start

EVERY = 1.0  # seconds between two words of progress, but for the steps of tools
TOLD = ("complete", "error", "end", "tool_end")  # the last of these are what came of it
STEPS = ("tool_start", "tool_end", "restart")
NO_SUCH_STATE = "The requestState is that of no call like this one."

Report = Callable[[float, float | None, str | None], Awaitable[None]]


Result = CallToolResult | InputRequiredResult


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, what is told while the call goes on, and whether the client can ask its user something."""

    services: Services
    principal: Principal
    admission: Admission
    report: Report
    can_ask: bool


async def call(caller: Caller, entry: ServedEntry, params: CallToolRequestParams) -> Result:
    """Run the entry and return its answer; a failure is a result too, so that a model can read it.

    What waits for a person is asked of the client, which calls again with the answers. The run is stopped
    when the caller is: a client cancels by closing its connection. Raises MCPError for a state of no call
    of the caller's.
    """
    try:
        question = asked(entry, params.arguments or {})
        if params.request_state is not None:
            return await again(caller, entry, question, params.request_state, params.input_responses or {})
        started = await begun(caller, entry, question)
        return await followed_to_its_end(caller, started.run, BEGINNING)
    except STORE_IS_AWAY:
        return failed(Unavailable())
    except ApiError as error:
        return failed(error)


async def begun(caller: Caller, entry: ServedEntry, question: ChatRequest) -> Started:
    """Start the run of a call; that of a tool alone is of no thread. Raises ApiError.

    Without grace: a client that is gone cannot come back, also one that leaves before the run began.
    """
    services, principal, admission = caller.services, caller.principal, caller.admission
    if entry.tool is None:
        return await start(services, principal, question, None, admission, grace=0)
    asked_of_it = Question(entry=entry, value=question.input_of(entry), in_thread=False, grace=0)
    return await begin(services, principal, asked_of_it, None, admission)


async def again(
    caller: Caller, entry: ServedEntry, question: ChatRequest, state: str, answers: Mapping[str, Any]
) -> Result:
    """Decide what the client's user has answered, and go on with the run; ask again for what is left."""
    waits, services, principal = waits_in(state), caller.services, caller.principal
    if waits is None:
        raise MCPError(INVALID_PARAMS, NO_SUCH_STATE)
    try:
        run = await services.runs.get(principal, waits.run_id, WRITE_RUNS)
    except NotFound:
        raise MCPError(INVALID_PARAMS, NO_SUCH_STATE) from None
    if run.runnable != entry.path or run.input != question.input_of(entry):
        raise MCPError(INVALID_PARAMS, NO_SUCH_STATE)
    fault = ""
    for approval in await pending(caller, run):
        answer = answers.get(approval.id)
        try:
            if isinstance(answer, ElicitResult) and (decision := decision_of(approval, answer)):
                await services.approvals.decide(principal, approval.id, decision)
            elif isinstance(answer, ElicitResult):
                return waiting(run, [approval])
        except InvalidInput as error:
            fault = fault_of(error)
    if left := await pending(caller, run):
        return ask(caller, run, waits, left, fault)
    return await followed_to_its_end(caller, run, waits.cursor)


async def followed_to_its_end(caller: Caller, run: RunRecord, after: Cursor) -> Result:
    """Report what happens after a record, and return what came of it."""
    progress = Progress(caller.report)
    last: dict[str, Record] = {}
    try:
        async for records in followed(caller.services, caller.principal, run, after):
            for record in records:
                last[record.type] = record
                await progress.tell(record)
    except asyncio.CancelledError:
        await uninterrupted(caller.services.runs.cancel(run.id))
        raise
    told: dict[str, Mapping[str, Any]] = {kind: from_json(last[kind].data) for kind in TOLD if kind in last}
    if told.get("end", {}).get("status") == "waiting":
        return ask(caller, run, Waits(run.id, last["end"].cursor), await pending(caller, run))
    return result_of(run, told)


async def pending(caller: Caller, run: RunRecord) -> Sequence[Approval]:
    """Return what a run waits for, the newest first."""
    approvals, _ = await caller.services.approvals.page(caller.principal, status="pending", run_id=run.id)
    return approvals


def ask(
    caller: Caller, run: RunRecord, waits: Waits, approvals: Sequence[Approval], fault: str = ""
) -> Result:
    """Return what the client is to ask its user, where it can and its user may decide."""
    askable = [approval for approval in approvals if can_be_asked(approval)]
    return input_required(waits, askable, fault) if askable and caller.can_ask else waiting(run, approvals)


class Progress:
    """What a client is told while a call goes on: each step of a tool, and now and then that words come."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._events = 0
        self._told = time.monotonic()

    async def tell(self, record: Record) -> None:
        self._events += 1
        now = time.monotonic()
        if record.type in STEPS:
            await self._report(self._events, None, str(from_json(record.data)["content"])[:200])
        elif now - self._told > EVERY:
            await self._report(self._events, None, None)
        else:
            return
        self._told = now
