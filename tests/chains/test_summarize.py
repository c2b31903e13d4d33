"""A text and a length in, a structured summary out."""

import pytest
from pydantic import ValidationError

from chains import summarize
from chains.summarize import SENTENCES, Request, Summary, wording
from gatehouse.models.scripted.chat import ScriptedChatModel
from gatehouse.registry.entry import Parts


async def test_answers_with_a_summary() -> None:
    chain = summarize.build(Parts(ScriptedChatModel(), []))
    summary = await chain.ainvoke({"text": "Rates rose.", "length": "long"})
    assert isinstance(summary, Summary)
    assert summary.title
    assert summary.key_points


async def test_the_whole_summary_is_one_chunk() -> None:
    chain = summarize.build(Parts(ScriptedChatModel(), []))
    chunks = [chunk async for chunk in chain.astream({"text": "Rates rose.", "length": "short"})]
    assert [type(chunk) for chunk in chunks] == [Summary]


@pytest.mark.parametrize(("length", "sentences"), SENTENCES.items())
def test_the_length_is_said_in_sentences(length: str, sentences: str) -> None:
    assert wording({"text": "x", "length": length}) == {"text": "x", "sentences": sentences}


def test_it_is_short_when_nothing_is_said() -> None:
    assert wording({"text": "x"})["sentences"] == "one sentence"
    assert Request(text="x").length == "short"


@pytest.mark.parametrize(
    "request_", [{}, {"text": ""}, {"text": "x" * 20_001}, {"text": "x", "length": "huge"}, {"text": None}]
)
def test_what_cannot_be_summarised_is_refused(request_: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Request.model_validate(request_)
