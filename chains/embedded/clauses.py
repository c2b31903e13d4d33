"""The requests in a message: `List my holdings and compare A and B.` has two."""

import re
from collections.abc import Iterable

_ASKING = (
    "what|what's|whats|how|how's|which|who|where|when|why|tell|show|list|give|get|find|calculate|compute|"
    "evaluate|work|compare|convert|check|please|can|could|would|will|is|are|do|does|did|has|have|let"
)


def requests_in(message: str, verbs: Iterable[str] = ()) -> list[str]:
    """Return the parts of a message that each ask for something, with what is stated for them.

    `verbs` are further words that a request may begin with, such as the first words of tool names. A
    message that asks for nothing is returned whole.
    """
    asking = "|".join((_ASKING, *map(re.escape, verbs)))
    boundary = re.compile(
        rf"(?<=[.?!;])\s+|,?\s+(?:and|then|also|plus)\s+(?:then\s+|also\s+)?(?=(?:{asking})\b)"
        rf"|,\s+(?:then\s+)?(?=(?:{asking})\b)",
        re.IGNORECASE,
    )
    begins = re.compile(rf"(?:(?:and|then|also|so|but|ok|okay|now|hi|hello)\b,?\s+)*(?:{asking})\b", re.IGNORECASE)
    requests: list[str] = []
    stated = ""
    for part in boundary.split(message.strip()):
        if begins.match(part) or part.endswith("?"):
            requests.append(f"{stated} {part}".strip())
            stated = ""
        else:
            stated = f"{stated} {part}".strip()
    if stated:
        requests[-1:] = [" ".join([*requests[-1:], stated])]
    return requests
