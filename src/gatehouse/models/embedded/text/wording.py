"""What the wording of a message tells: whom it is about, and whether it asks in general."""

import re

_FIRST_PERSON = re.compile(r"\b(?:i|i'm|i've|my|mine|we|our|ours)\b", re.IGNORECASE)
_POSSESSIVE = re.compile(r"\b(?:my|mine|our|ours)\b", re.IGNORECASE)
_OF_THE_CALLER = re.compile(r"\b(?:caller|user|own|your)\b", re.IGNORECASE)
_GENERAL = re.compile(
    r"""^(?:what|who)(?:'s|s|\ is|\ are|\ was|\ were)[ ]
        (?:an?|the\ (?:difference|meaning|advantage|purpose|point)s?)\b
      | \b(?:means?|stands?\ for|explain|define|why|should\ i|advice|tips?|joke|poem|story|song)\b
      | \bis\ it\ (?:an?\ )?(?:\w+\ ){1,2}to\b  # a good idea to, safe to
      | \b(?:how|when|where)\ (?:do|can|should|could|would|does|will)[ ]
        (?:i|you|one|we|people|it|they|an?)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_WHAT_THERE_IS = re.compile(
    r"""\b(?:list|enumerate)\b | \bwhat(?:'s|s|\ is|\ are)\ (?:in|on)\b
      | \b(?:what|which)\b(?:\ \w+){0,2}[ ]
        (?:do\ (?:i|we)\ (?:\w+\ )?(?:have|own|hold|keep|possess)\b
          | (?:am\ i|i\ am|are\ we|we\ are|have\ i)\b)""",
    re.VERBOSE | re.IGNORECASE,
)
_LISTS = re.compile(r"(?:list|enumerate)\b", re.IGNORECASE)
_FUNCTION_WORDS = frozenset(
    ("get", "the", "a", "an", "of", "to", "for", "in", "from", "and", "or", "who", "whom", "what", "that",
     "with", "by", "on", "over", "at", "is", "are", "its", "it")
)  # fmt: skip
_STEM = 6  # letters: compare, compared and comparison share them
_ENDING = re.compile(r"(?<=[a-z]{4})(?:ings?|ed)$|(?<=[a-z]{3})s$")  # hold, holds and holdings are one word


def is_personal(message: str) -> bool:
    """Tell whether a message speaks of whoever says it."""
    return _FIRST_PERSON.search(message) is not None


def reads_the_callers_own(description: str) -> bool:
    """Tell whether a tool, by its description, is about whoever asks."""
    return _OF_THE_CALLER.search(description) is not None


def asks_what_there_is(message: str) -> bool:
    """Tell whether a message asks for things one by one: `What is in my basket?`, `Which … do I have?`"""
    return _WHAT_THERE_IS.search(message) is not None


def lists_things(tool: str) -> bool:
    """Tell whether a tool, by its name in plain words, lists things."""
    return _LISTS.match(tool) is not None


def asks_in_general(message: str) -> bool:
    """Tell whether a message asks for an explanation or for advice: `What is a stock?`, `How do I …?`"""
    return _GENERAL.search(message) is not None and _POSSESSIVE.search(message) is None


def stems_in(text: str) -> frozenset[str]:
    """Return the words that carry meaning, cut so that forms of one word are the same."""
    words = re.findall(r"[a-z]+", text.lower())
    return frozenset(_ENDING.sub("", word)[:_STEM] for word in words if word not in _FUNCTION_WORDS)
