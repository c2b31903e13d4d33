"""Names in a message: ticker symbols and other codes, proper names, quoted words."""

import re
from collections.abc import Collection

from gatehouse.models.embedded.text import WORDS
from gatehouse.models.embedded.text.numbers import Span

_NAME = re.compile(
    r"""["\u201c](?P<quoted>[^"\u201d]+)["\u201d]|(?<!\w)['\u2018](?P<single>[^'\u2019]+)['\u2019](?!\w)
      | (?<![/\w])(?P<word>\^?[^\W\d_](?:[\w&.-]*\w)?)""",
    re.VERBOSE,
)
_SENTENCE_START = re.compile(r"(?:^|[.!?:;\n])\s*$")
_LISTED = re.compile(r"\s*(?:[,&]|(?:and|or|vs\.?|versus|against)\b)", re.IGNORECASE)


def names_in(text: str, common: Collection[str]) -> list[Span]:
    """Return what a message names, in order and once each: quoted words, codes, capitalised names.

    `common` holds lower-case words that are no names here, such as those of the tools' own names.
    """
    no_names = {*WORDS["english"], *WORDS["calendar"], *common}
    names: list[Span] = []
    for match in _NAME.finditer(text):
        word = match["quoted"] or match["single"] or match["word"]
        starts = _SENTENCE_START.search(text[: match.start()]) and not _LISTED.match(text, match.end())
        if match["word"] and (
            word[0].islower()
            or (starts and not word.isupper())
            or {word.lower(), word.lower().removesuffix("s")} & no_names
        ):
            continue
        if match["word"] and names and names[-1].end + 1 == match.start() and not word.isupper():
            names[-1] = Span(f"{names[-1].value} {word}", names[-1].start, match.end())
        else:
            names.append(Span(word, match.start(), match.end()))
    return list({name.value: name for name in reversed(names)}.values())[::-1]
