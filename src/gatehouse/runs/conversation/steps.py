"""The tool steps of a run over all its attempts, for the answer that is kept."""

from collections.abc import Iterable, Mapping, Sequence

from gatehouse.plain_json import from_json
from gatehouse.runs.events import BEGINNING, Event, Record, ToolEnd, ToolStart
from gatehouse.runs.log.log import RunLog
from gatehouse.runs.records import RunRecord

Step = ToolStart | ToolEnd
STEPS: Mapping[str, type[ToolStart] | type[ToolEnd]] = {"tool_start": ToolStart, "tool_end": ToolEnd}


async def all_steps(log: RunLog, run: RunRecord, own: Sequence[Event]) -> list[Event]:
    """Return the steps of the run: those of earlier attempts out of the log, and then this attempt's `own`.

    What the log has dropped is missing.
    """
    if run.attempt == 1:
        return list(own)
    earlier = [step for record in await _before(log, run) if (step := step_of(record))]
    return [*still_true(earlier, own), *own]


def still_true(earlier: Iterable[Step], own: Iterable[Event]) -> list[Step]:
    """Return the earlier steps of calls that were finished, then or now, and not begun anew."""
    steps = list(earlier)
    again = {step.call_id for step in own if isinstance(step, ToolStart)}
    ended = {step.call_id for step in [*steps, *own] if isinstance(step, ToolEnd)}
    return [step for step in steps if step.call_id in ended - again]


async def _before(log: RunLog, run: RunRecord) -> list[Record]:
    """Return the log's records of the attempts before the run's."""
    found: list[Record] = []
    cursor = BEGINNING
    while records := await log.after(run.id, cursor):
        found += [record for record in records if record.cursor.attempt < run.attempt]
        cursor = records[-1].cursor
        if cursor.attempt == run.attempt:
            break
    return found


def step_of(record: Record) -> Step | None:
    """Return the tool step that a record tells of, None for any other."""
    kind = STEPS.get(record.type)
    if kind is None:
        return None
    fields = from_json(record.data)
    step: Step = kind(**{**fields, "path": tuple(fields.get("path", ()))})
    return step
