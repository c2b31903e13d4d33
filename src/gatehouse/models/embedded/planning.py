"""Which tools a message asks for, and with which arguments.

The model's reading carries most of the weight (`vectors`); values that a tool can take are added.
"""

import re
from collections.abc import Sequence

from gatehouse.models.embedded.arguments import Call, call_of
from gatehouse.models.embedded.tool_schema import Tool
from gatehouse.models.embedded.vectors import Vectors

LONGEST = 4_000  # characters of a message that are looked at; of a longer one its start and its end
MOST_REQUESTS = 4  # in one message: the last ones count

# weights, set by hand on bench/tool_calling/dev.jsonl
PER_VALUE = 0.05  # for each value of the request that the tool takes
LISTING = 0.8  # added where the request asks what there is and the tool lists things
OF_RELEVANCE = 0.25  # how much the best tool's fit counts beside the request's own resemblance to requests
OF_VALUES = 0.05  # and each of the values, up to two, that a tool needs and the request has
LEAST = -0.12  # the sum of these above which a request wants a tool
MARGIN = 0.1  # by which a tool of another field must fit better for none of those here to be wanted

_ASKING = (
    "what|what's|whats|how|how's|which|who|where|when|why|tell|show|list|give|get|find|calculate|compute|set|"
    "evaluate|work|compare|convert|check|please|can|could|would|will|is|are|do|does|did|has|have|let|search"
)
_BEGINS = re.compile(rf"(?:(?:and|then|also|so|but|ok|now|hi|hello)\b,?\s+)*(?:{_ASKING})\b", re.IGNORECASE)
_BOUNDARY = re.compile(
    r"(?<=[.?!;])\s+|(?:,\s+|,?\s+(?:and|then|also|plus)\s+)(?:then\s+|also\s+)?"
    rf"(?=(?:{_ASKING})\b(?! (?:\w+ )?(?:it|they)\b))",  # `and what they are worth` is no request of its own
    re.IGNORECASE,
)
_DEFINES = re.compile(r"(?:what|who)(?:'?s| is| are| does) an? |(?:explain|define|why)\b", re.IGNORECASE)
_WHAT_THERE_IS = re.compile(
    r"\blist\b|\bwhat(?:'?s| is| are) in\b|\b(?:what|which)\b.* (?:i|we) (?:have|own|hold)\b|\bam i\b",
    re.IGNORECASE,
)


def plan(message: str, tools: Sequence[Tool], vectors: Vectors) -> list[Call]:
    """Return the calls that a message asks for, in its order; some may miss what it does not say."""
    message = message if len(message) <= LONGEST else f"{message[: LONGEST // 2]} {message[-LONGEST // 2 :]}"
    calls: list[Call] = []
    for request in requests_in(message)[-MOST_REQUESTS:]:
        call = _call(request, message, tools, vectors)
        if call and call not in calls:
            calls.append(call)
    return calls


def requests_in(message: str) -> list[str]:
    """Return the parts of a message that each ask for something, with what is stated for them."""
    requests: list[str] = []
    stated: list[str] = []
    for part in _BOUNDARY.split(message.strip()):
        stated.append(part)
        if _BEGINS.match(part) or part.endswith("?"):
            requests.append(" ".join(stated))
            stated = []
    if stated:
        requests[-1:] = [" ".join([*requests[-1:], *stated])]
    return requests


def _call(request: str, message: str, tools: Sequence[Tool], vectors: Vectors) -> Call | None:
    """Return the call that the request wants: of the tool that fits it best, or none."""
    common = frozenset().union(*(tool.vocabulary for tool in tools))
    calls = [call_of(tool, request, common) for tool in tools]
    lists = LISTING if _WHAT_THERE_IS.search(request) else 0
    relevance, elsewhere = vectors.relevance(request, tools)
    scored = [
        (fit + PER_VALUE * call.found + lists * call.tool.words.startswith("list "), call)
        for fit, call in zip(relevance, calls, strict=True)
    ]
    score, best = max(scored, key=lambda pair: pair[0])
    if (_DEFINES.match(request) and not best.found) or elsewhere > score + MARGIN:
        return None
    values = 0 if best.missing else min(best.found, 2)
    if vectors.asks(request) + OF_RELEVANCE * score + OF_VALUES * values <= LEAST:
        return None
    return call_of(best.tool, message, common) if best.missing else best  # the rest of the message may say it
