"""Names in a message: ticker symbols and other codes, proper names, quoted words."""

import re
from collections.abc import Collection

QUOTED = re.compile(
    r"[\"\u201c\u201d]([^\"\u201c\u201d]{1,200})[\"\u201c\u201d]"
    r"|(?<!\w)['\u2018]([^'\u2018\u2019]{1,200})['\u2019](?!\w)"
)
WORD = re.compile(r"(?<!/)\^?[^\W_][\w&.'\u2019-]*")
CODE = re.compile(r"\^?[A-Z][A-Z0-9]*(?:[.-][A-Z0-9]+)?")

# words that start with a capital or stand where a name could stand, and are none
_NO_NAMES = """
    a about above after again all also am an and any are as asset assets at be been before being best
    better between both but buy by calculate can check choose company companies compare could day days did
    difference do does doing done each either far few find fine for from fund funds get give go good hello
    help her here hers hey hi him his how i if in into investment investments is it its just know last let
    like list look make many may me mine month months more most much my name names need no not now of off
    on one ones only or other our out over past per percent perform performance performed performing
    please previous price prices quarter see sell shall share shares she should show since so some
    something stock stocks symbol symbols tell than thank thanks that the their them then there these they
    thing things this those through till time to today together tomorrow too two under until up us use
    versus vs was we week weeks well were what when where which who whom whose why will with work worse
    worst would year years yes yesterday you your yours january february march april june july august
    september october november december monday tuesday wednesday thursday friday saturday sunday euro
    euros dollar dollars pound pounds got
"""
NO_NAMES = frozenset(_NO_NAMES.split())

_SENTENCE_START = re.compile(r"(?:^|[.!?:;\n])\s*$")
_LISTED = re.compile(r"^\s*(?:,|&|and\b|or\b|vs\b|versus\b|against\b)", re.IGNORECASE)
# `to` and `with` join names where something is compared, and none in `a good idea to invest`
_COMPARES = re.compile(r"\bcompar", re.IGNORECASE)
_BETWEEN = r"and|or|vs\.?|versus|against"
_PAIR, _COMPARED_PAIR = (
    re.compile(
        rf"(?=\b((?:[\w&.-]+,\s+)*[\w&.-]+),?\s+(?:{between})\s+(?:the\s+)?([\w&.-]*\w))", re.IGNORECASE
    )
    for between in (_BETWEEN, rf"{_BETWEEN}|(?:compares?\s+)?(?:with|to)")
)
_PLACED = re.compile(r"\b(?:in|at|for|of|from|to|on|about)\s+(?:the\s+)?([\w&.-]*\w)", re.IGNORECASE)


def names_in(text: str, common: Collection[str] = ()) -> list[str]:
    """Return what a message names, in order and once each: quoted words, codes, capitalised names.

    `common` holds lower-case words that are no names here, such as those of the tools' own names.
    """
    quoted = [match[1] or match[2] for match in QUOTED.finditer(text)]
    rest = QUOTED.sub(lambda match: " " * len(match[0]), text)
    return list(dict.fromkeys([*quoted, *_capitalised(rest, common)]))


def lower_case_names_in(text: str, common: Collection[str] = ()) -> list[str]:
    """Return the words of a message that stand where names stand: `gold and silver`, `in paris`."""
    pair = _COMPARED_PAIR if _COMPARES.search(text) else _PAIR
    paired = [word for match in pair.finditer(text) for word in (*re.split(r",\s+", match[1]), match[2])]
    placed = [match[1] for match in _PLACED.finditer(text)]
    return [word for word in dict.fromkeys([*paired, *placed]) if _is_name(word, common)]


def _capitalised(text: str, common: Collection[str]) -> list[str]:
    names: list[str] = []
    end = -1  # of the name before, if it is a capitalised word that the next may continue
    for match in WORD.finditer(text):
        word = re.sub(r"(?:['\u2019]s?|[.-])+$", "", match[0])
        is_code = CODE.fullmatch(word) is not None
        if not (is_code or word[0].isupper()) or not _is_name(word, common):
            end = -1
        elif is_code or not _starts_sentence(text, match):
            if end >= 0 and text[end : match.start()] == " " and not is_code:
                names[-1] += f" {word}"
            else:
                names.append(word)
            end = -1 if is_code else match.start() + len(word)
    return names


def _starts_sentence(text: str, match: re.Match[str]) -> bool:
    """Tell whether the capital may come from the start of a sentence rather than from a name."""
    return bool(_SENTENCE_START.search(text[: match.start()])) and not _LISTED.match(text[match.end() :])


def _is_name(word: str, common: Collection[str]) -> bool:
    lower = word.lower()
    return not (
        lower in NO_NAMES
        or lower in common
        or lower.rstrip("s") in common
        or not re.match(r"\^?[^\W\d]", lower)
    )
