"""How well each bound tool fits a request, and whether the request wants a tool at all.

The model's reading (`meaning`) carries most of the weight. What can be seen in the text is added: values
that a tool can take, words that only its description has, and whether both are about whoever asks. The
weights were set by hand on bench/tool_calling/dev.jsonl; results are the same for half or twice of each.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gatehouse.models.embedded.arguments import Filling
from gatehouse.models.embedded.meaning import Meaning, Vector, tool_prompts, wants
from gatehouse.models.embedded.text.wording import (
    asks_in_general,
    asks_what_there_is,
    is_personal,
    lists_things,
    reads_the_callers_own,
    stems_in,
)
from gatehouse.models.embedded.tool_schema import Tool

PER_VALUE = 0.05  # for each value of the request that the tool takes
PER_WORD = 0.04  # for each word shared with this tool alone; one shared with n tools counts 1/n of it
MOST_WORDS = 2
PERSONAL = 0.05  # added where request and tool are both about the caller, taken away where only the tool is
LISTING = 0.3  # added where the request asks what there is and the tool lists things

OF_RELEVANCE = 0.25  # how much the best tool's fit counts beside the request's own resemblance to requests
OF_VALUES = 0.05  # and each of the values, up to two, that a tool needs and the request has
LEAST = 0.1  # the sum of these above which a request wants a tool
MARGIN = 0.1  # by which a tool of another field must fit better for none of those here to be wanted


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a tool fits a request, and what the request gives for it."""

    tool: Tool
    score: float
    filling: Filling


def ranked(
    request: str,
    fillings: Sequence[tuple[Tool, Filling]],
    meaning: Meaning,
    vectors: Mapping[str, Vector],
) -> list[Fit]:
    """Return the tools by how well they fit, the best first."""
    shared = _shared_words(request, [tool for tool, _ in fillings])
    here = vectors[wants(request)]
    fits = []
    for tool, filling in fillings:
        score = meaning.relevance(here, [vectors[prompt] for prompt in tool_prompts(tool)])
        score += PER_VALUE * filling.found + PER_WORD * min(shared[tool.name], MOST_WORDS)
        if reads_the_callers_own(tool.description):
            score += PERSONAL if is_personal(request) else -PERSONAL
        if asks_what_there_is(request) and lists_things(tool.words):
            score += LISTING
        fits.append(Fit(tool, score, filling))
    return sorted(fits, key=lambda fit: fit.score, reverse=True)


def wants_a_tool(request: str, best: Fit, meaning: Meaning, here: Vector) -> bool:
    """Tell whether a request, whose vector is `here`, wants the tool that fits it best."""
    if asks_in_general(request) and not best.filling.found:
        return False
    if meaning.relevance_elsewhere(here) > best.score + MARGIN:
        return False
    needed = any(parameter.required for parameter in best.tool.parameters)
    values = min(best.filling.found, 2) if needed and best.filling.options else 0
    return meaning.asks(here) + OF_RELEVANCE * best.score + OF_VALUES * values > LEAST


def _shared_words(request: str, tools: Sequence[Tool]) -> Mapping[str, float]:
    words = {tool.name: stems_in(f"{tool.words} {tool.purpose}") for tool in tools}
    having = Counter(word for stems in words.values() for word in stems)
    said = stems_in(request)
    return {name: sum(1 / having[word] for word in stems & said) for name, stems in words.items()}
