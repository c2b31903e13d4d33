"""How a model's answer ended: what providers call it, in the few words that we have for it.

A word that no provider is known to use says nothing good: it is shown as it is, and no tool call of such an
answer is run.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["stop", "length", "content_filter", "refusal", "failed", "unknown"]

NORMAL = frozenset(
    {
        *("stop", "stop_sequence", "end_turn", "eos", "eos_token", "end_of_text"),
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
    for name in ("finish_reason", "stop_reason", "stopReason", "done_reason"):
        if value := metadata.get(name):
            return str(getattr(value, "name", value))
    details = metadata.get("incomplete_details")
    if isinstance(details, Mapping) and details.get("reason"):
        return str(details["reason"])
    status = metadata.get("status")
    return status if isinstance(status, str) and status != "in_progress" else ""


def kind_of(word: str) -> Kind:
    """Return which kind of an end a provider's word stands for."""
    plain = re.sub(r"[^a-z]+", "_", word.lower()).strip("_")
    plain = plain.removeprefix("finish_reason_").removeprefix("finishreason_")
    if plain in NORMAL:
        return "stop"
    return next((kind for kind, pattern in PATTERNS if pattern.search(plain)), "unknown")
