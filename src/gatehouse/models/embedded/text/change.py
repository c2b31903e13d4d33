"""Which end of a change a number, a name or a parameter stands for: in `from 800 to 1000`, 800 the start."""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Literal

from gatehouse.models.embedded.text.numbers import Number, numbers_in

End = Literal["start", "end"]

REACH = 2  # words between a number and the word that tells: `bought it at 120`

_START = re.compile(
    r"invest\w*|put|paid|pay(?:ing|s)?|spen[dt]\w*|b(?:uy(?:ing|s)?|ought)|purchas\w*|costs?|start\w*"
    r"|beg[aiu]n\w*|opening|initial\w*|original\w*|principal|deposit\w*|old|before|earlier|previous\w*"
    r"|former\w*|first|ago|source|origin|departure"
)
_END = re.compile(
    r"s(?:ell(?:ing|s)?|old)|sale|got|gets|getting|receiv\w*|back|now|today|current\w*|end(?:ed|ing|s)?"
    r"|clos(?:ed|ing)|final\w*|later|latest|last|new"
    r"|target|destination|arrival"
)
_BECOMES = re.compile(  # the start stands before these words, the end behind them
    r"becom\w*|became|into|grew|grown|rose|fell|made|makes|gave|gives|yielded|yields|returned|worth|->|→"
)
_BECOMES_BESIDE = frozenset(("to", "get"))  # only right beside a number: `I want to get the return of 800`
_WORD = re.compile(r"[a-z']+|->|→|[,;.?!]")
_BREAKS = frozenset((",", ";", ".", "?", "!", "and", "but", "then"))
_NO_AMOUNT = re.compile(r"\bon investments?\b")  # what is asked for, not what was invested


def ends_of(numbers: Iterable[Number], text: str) -> list[End | None]:
    """Return for each number of a text which end the words around it make it; None where they don't tell."""
    found = list(numbers)
    edges = [0, *(number.end for number in found)]
    starts = [*(number.start for number in found), len(text)]
    around = [
        _NO_AMOUNT.sub(" ", text[edge:start].lower()) for edge, start in zip(edges, starts, strict=True)
    ]
    words = [_WORD.findall(part) for part in around]
    return [_end(before, behind) for before, behind in pairwise(words)]


def end_of_name(name: str, text: str) -> End | None:
    """Return which end a name stands for in a text: `from Rome`, `100 USD` the start, `to Rome` the end."""
    before = re.search(rf"(?<!\S)(\S{{1,40}})\s+(?:the\s+)?{re.escape(name)}(?!\w)", text, re.IGNORECASE)
    if before is None:
        return None
    if before[1].lower() in {"to", "into"}:
        return "end"
    return "start" if before[1].lower() == "from" or numbers_in(before[1]) else None


def end_named(words: Iterable[str]) -> End | None:
    """Return which end of a change a parameter's own words speak of."""
    return next((end for word in words if (end := _meaning(word, 0, is_before=True))), None)


def _end(before: list[str], behind: list[str]) -> End | None:
    """Return what the nearest telling word says; of two as near, the one before the number."""
    told = [*_told(reversed(before), is_before=True), *_told(behind, is_before=False)]
    return min(told, key=lambda near: near[0])[1] if told else None


def _told(words: Iterable[str], *, is_before: bool) -> Iterator[tuple[int, End]]:
    """Yield the distance and the meaning of the first telling word, nearest first."""
    for distance, word in enumerate(words):
        if distance > REACH or word in _BREAKS:
            return
        if end := _meaning(word, distance, is_before=is_before):
            yield distance, end
            return


def _meaning(word: str, distance: int, *, is_before: bool) -> End | None:
    if word == "from":
        return "start" if is_before else "end"
    if _BECOMES.fullmatch(word) or (word in _BECOMES_BESIDE and not distance):
        return "end" if is_before else "start"
    return "start" if _START.fullmatch(word) else "end" if _END.fullmatch(word) else None
