"""What a runnable says is whole text in events, the record and the thread, however it was cut."""

import json
from typing import Any

import pytest
from run_replicas import ALICE, Replica
from run_runnables import Told
from run_viewers import assembled, last, seen

from gatehouse.runs.events import Cursor, Token, ToolStart, record


@pytest.mark.parametrize(
    ("told", "kept"),
    [({"n": 2**70}, {"n": 2**70}), ({"n": float("nan")}, {"n": None}), ({"s": "\ud83d"}, {"s": "�"})],
)
def test_arguments_of_a_tool_are_json_whatever_the_model_said(told: Any, kept: Any) -> None:
    event = ToolStart(content="", tool="t", call_id="1", input={**told, "o": object()})
    assert json.loads(record(Cursor(1, 1), event).data)["input"] == {**kept, "o": "<object>"}


def test_an_event_is_one_line_for_every_reader() -> None:
    data = record(Cursor(1, 1), Token("a\u2028b\u2029c\x85d")).data.decode()
    assert data.splitlines() == [data]


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["a\ud83d", "\ude00b"], "a😀b"),
        (["\ud83d", "", "\ude00"], "😀"),
        (["a\ud83d"], "a�"),
        (["\ude00", "b\ud83d", "c"], "�b�c"),
    ],
)
async def test_half_a_character_waits_for_its_other_half(
    here: Replica, told: Told, pieces: list[str], text: str
) -> None:
    run = (await here.start("/told")).run
    told.tell(run.id, *pieces)
    told.end(run.id)
    records = await seen(here.engine, run.id)
    assert assembled(records) == last(records, "complete")["content"] == text
    assert (await here.engine.get(ALICE, run.id)).text == text
