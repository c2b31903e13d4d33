"""The requests in a message: `List my holdings and compare A and B.` has two."""

import re
from collections.abc import Iterable

_ASKING = (
    "what|what's|whats|how|how's|which|who|where|when|why|tell|show|list|give|get|find|calculate|compute|"
    "evaluate|work|compare|convert|check|please|can|could|would|will|is|are|do|does|did|has|have|let"
)
_FILLERS = r"(?:(?:and|then|also|so|but|ok|okay|now|hi|hello)\b,?\s+)*"
_REFERS_BACK = re.compile(r"\b(?:it|its|they|them|their)\b", re.IGNORECASE)


def requests_in(message: str, verbs: Iterable[str] = ()) -> list[str]:
    """Return the parts of a message that each ask for something, with what is stated for them.

    `verbs` are further words that a request may begin with, such as the first words of tool names. A part
    that refers back (`and how much is it worth`) stays with the one before. A message that asks for nothing
    is returned whole.
    """
    asking = "|".join((_ASKING, *map(re.escape, verbs)))
    boundary = re.compile(
        rf"(?<=[.?!;])\s+|,?\s+(?:and|then|also|plus)\s+(?:then\s+|also\s+)?(?=(?:{asking})\b)"
        rf"|,\s+(?:then\s+)?(?=(?:{asking})\b)",
        re.IGNORECASE,
    )
    begins = re.compile(rf"{_FILLERS}(?:{asking})\b", re.IGNORECASE)
    requests: list[str] = []
    stated: list[str] = []
    for part in boundary.split(message.strip()):
        if not (begins.match(part) or part.endswith("?")):
            stated.append(part)
        elif requests and not stated and _REFERS_BACK.search(part):
            requests[-1] += f" {part}"
        else:
            requests.append(" ".join([*stated, part]))
            stated = []
    if stated:
        requests[-1:] = [" ".join([*requests[-1:], *stated])]
    return requests
