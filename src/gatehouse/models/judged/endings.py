"""How a model's answer ended: what providers call it, in the few words that we have for it.

A word that no provider is known to use says nothing good: it is shown as it is, and no tool call of such an
answer is run.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Kind = Literal["stop", "length", "content_filter", "refusal", "failed", "unknown"]

NORMAL = frozenset(
    {
        *("stop", "stop_sequence", "end_turn", "eos", "eos_token", "end_of_text"),
        *("s", "im_end", "endoftext", "eot_id", "end_of_turn", "end"),  # the tokens that models end with
        *("tool_calls", "tool_call", "tool_use", "function_call"),
        *("complete", "completed", "success", "finished", "normal", "done"),
    }
)
# in this order: `max_tokens` is a length, `content_filter_error` a filter, and Gemini's
# `function_call_filter: MALFORMED_FUNCTION_CALL` a failure
PATTERNS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("failed", re.compile("malform")),
    ("refusal", re.compile("refus|declin")),
    ("content_filter", re.compile(
        "filter|safety|sensitive|block|prohibit|recitation|spii|polic|moderat|guardrail|violat|language"
    )),
    ("length", re.compile("length|max|limit_reached|token|context|truncat")),
    ("failed", re.compile(
        "error|abort|fail|cancel|malform|incomplete|interrupt|time|unavail|resource|network|unexpected"
        "|invalid|insufficient|quota|overload|load|limit|disconnect|preempt|pause|missing|too_many"
    )),
)  # fmt: skip


# what metadata calls the end of an answer, by provider: see `word_of`
REASONS = ("finish_reason", "stop_reason", "stopReason", "done_reason")
NAMES = frozenset((*REASONS, "incomplete_details", "status"))
# of an answer that goes on: some servers send a word with every chunk
NONE = frozenset({"null", "none", "unspecified"})


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended; `word` is the provider's own for it, empty when it said none."""

    kind: Kind
    word: str

    @property
    def finish_reason(self) -> str:
        """What clients are told: the kind, or the provider's own word where we know no better."""
        return self.word if self.kind == "unknown" else self.kind


def ending_of(metadata: Mapping[str, Any]) -> Ending | None:
    """Return how an answer with this metadata ended; None when it does not say."""
    word = word_of(metadata)
    return Ending(kind_of(word), word) if word else None


def word_of(metadata: Mapping[str, Any]) -> str:
    """Return what a provider's metadata calls the end of an answer, empty when nothing.

    Chat completions, Gemini and Mistral have `finish_reason`, Anthropic `stop_reason`, Bedrock `stopReason`,
    Ollama `done_reason`; OpenAI's Responses API has a status, and the details of one that is incomplete.
    """
    for name in REASONS:
        if word := plain_word(metadata.get(name)):
            return word
    details = metadata.get("incomplete_details")
    if isinstance(details, Mapping) and details.get("reason"):
        return str(details["reason"])
    feedback = metadata.get("prompt_feedback")  # Gemini's on a question that it does not answer
    if isinstance(feedback, Mapping) and (word := plain_word(feedback.get("block_reason"))):
        return f"blocked: {word}"
    status = metadata.get("status")
    if isinstance(status, str) and status != "in_progress":
        return status
    return "done" if metadata.get("done") is True else ""  # an Ollama of before it gave reasons


def plain_word(value: Any) -> str:
    """Return a provider's word for an end; empty where it says that there is none yet."""
    if isinstance(value, Mapping):
        value = value.get("type") or value.get("reason")
    word = str(getattr(value, "name", value) or "")
    return "" if plain(word) in NONE else word


@lru_cache(1000)
def plain(word: str) -> str:
    """Return a word in small letters, without what Gemini's have before it."""
    small = re.sub(r"[^a-z]+", "_", word.lower()).strip("_")
    return small.removeprefix("finish_reason_").removeprefix("finishreason_")


def kind_of(word: str) -> Kind:
    """Return which kind of an end a provider's word stands for."""
    small = plain(word)
    if small in NORMAL:
        return "stop"
    return next((kind for kind, pattern in PATTERNS if pattern.search(small)), "unknown")


def added(before: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is known of an answer with what a further chunk tells.

    An end that is none of a whole answer stands: some proxies end every stream with a `stop` of their own.
    """
    ending, now = ending_of(before), ending_of(told)
    if ending and now and now.kind == "stop" and ending.kind not in ("stop", "unknown"):
        told = {name: value for name, value in told.items() if name not in NAMES}
    return {**before, **told}
