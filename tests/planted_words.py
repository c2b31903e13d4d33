"""What nobody may find in a log: words that tests ask, and that scripted models say, everywhere.

They are cues, numbered tokens, the answer to all that has no cue, and one word that tests plant where an answer is
refused, cut or quoted.
"""

import json
import re
from collections.abc import Iterable

PLANTED = "heliotrope"
WORDS = re.compile(rf"{PLANTED}|\[(?:say|tokens|delay|tool|fail)\b|\bt1 t2\b|\bw0 w1\b|scripted answer")


def quoting(lines: Iterable[str]) -> list[str]:
    """Return the lines of JSON that quote somebody and are not of level debug."""
    return [line for line in lines if WORDS.search(line) and json.loads(line)["level"] != "debug"]
