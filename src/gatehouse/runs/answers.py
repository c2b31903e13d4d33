"""Answers that their threads could not take: left in Redis with the end of their runs, until they can."""

from collections.abc import Sequence

from gatehouse.plain_json import from_json, json_bytes
from gatehouse.runs.conversation.steps import Step, step_of
from gatehouse.runs.events import BEGINNING, Event, Record
from gatehouse.runs.records import RunRecord, kept_fields, of_kept_fields

ANSWERS = "gh:runs:answers"  # by run id


def kept_answer(run: RunRecord, steps: Sequence[Event]) -> bytes:
    """Return a run that has ended and its tool steps, as they wait."""
    return json_bytes(
        {"run": kept_fields(run), "steps": [[step.type, step] for step in steps if isinstance(step, Step)]}
    )


def parsed_answer(kept: bytes) -> tuple[RunRecord, list[Event]]:
    """Return what `kept_answer` kept."""
    answer = from_json(kept)
    steps = [step_of(Record(BEGINNING, kind, json_bytes(step))) for kind, step in answer["steps"]]
    return of_kept_fields(answer["run"]), [step for step in steps if step is not None]
