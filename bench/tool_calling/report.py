"""The report on tool calling."""

from collections.abc import Iterator, Mapping
from typing import Any


def markdown(results: Mapping[str, Any]) -> str:
    """Return the totals of every set, and what went wrong in each."""
    return "\n".join([*_head(results), *_totals(results), *_faults(results), ""])


def _head(results: Mapping[str, Any]) -> Iterator[str]:
    facts = results["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in facts["versions"].items())
    yield from ("# Tool calling", "", f"Model: {results['model']}, temperature 0.", "")
    yield from (f"{facts['date']}, {facts['machine']}. {versions}.", "")


def _totals(results: Mapping[str, Any]) -> Iterator[str]:
    yield "| set | right tool, or none | valid arguments | median to a call | median to a word | what |"
    yield "|---|---|---|---|---|---|"
    for each in results["sets"]:
        totals = each["totals"]
        cells = (
            each["name"],
            f"**{totals['right_choice']} of {totals['prompts']}**",
            f"{totals['valid_arguments']} of {totals['with_a_call']}",
            _milliseconds(totals["median_seconds_to_call"]),
            _milliseconds(totals["median_seconds_to_first_word"]),
            each["what"],
        )
        yield f"| {' | '.join(cells)} |"
    yield ""


def _faults(results: Mapping[str, Any]) -> Iterator[str]:
    yield from ("## What went wrong", "", "| set | prompt | what the model did |", "|---|---|---|")
    for each in results["sets"]:
        for found in each["prompts"]:
            if not found["choice"] or found["arguments"] is False:
                yield f"| {each['name']} | {_cell(found['prompt'])} | {_cell(_deed(found))} |"


def _deed(found: Mapping[str, Any]) -> str:
    if not found["calls"]:
        return f"said: {found['answer'][:80]}"
    return ", ".join(f"{name}({arguments})" for name, arguments in found["calls"])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{seconds * 1000:.0f} ms"
