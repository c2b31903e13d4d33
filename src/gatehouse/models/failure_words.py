"""What providers and their clients say in words alone, where they have no code or type for it."""

import re

from langchain_core import exceptions as langchain

from gatehouse.models.errors import (
    ContentFiltered,
    InputTooLong,
    ModelFailed,
    ModelMisconfigured,
    ModelQuotaUsedUp,
)

# Google's of an error's details, and OpenAI's among its words
WAIT = re.compile(
    r"(?:retryDelay\W+|try again in |retry after )(\d{1,6}(?:\.\d{1,6})?) ?(ms|s\b|seconds?|m\d)",
    re.IGNORECASE,
)
MOST_READ = 4000  # characters of what an error says
# how servers say that the input has more tokens than they take, where they have no code for it
TOO_LONG = re.compile(
    r"context[ _](length|window|size)|maximum context|max(imum)? (input|prompt) (length|tokens)"
    r"|(prompt|input|request|conversation|messages?) (is|are|was) too (long|large)"
    r"|too many (input |prompt )?tokens|input (token count|length|tokens) .{0,40}(exceed|long|larg|maximum)"
    r"|exceed\w* .{0,40}(maximum|max|limit).{0,30}tokens|reduce the length|exceed_context_size"
    r"|too large for model with .{0,20}context|range of input length|max_tokens_per_prompt"
    r"|tokens.{0,60}must be <=|longer than the (model|maximum)|token limit exceeded|exceeds max length"
    r"|exceed\w*.{0,30}token limit|tokens exceeds the maximum|current length is .{0,20}limit is"
    r"|token count is .{0,40}only supports|`inputs` must have less than|tokens limit exceeded"
    r"|tokens long, which exceeds",
    re.IGNORECASE,
)
REFUSALS = frozenset({None, 400, 401, 402, 403, 429})
# a moderation before the model, which some answer 403
FLAGGED = re.compile(
    r"\bflagged\b|moderation|content.policy|safety (system|guidelines)|content exists risk"
    r"|inappropriate content|sensitive content",
    re.IGNORECASE,
)
FLAGGING = frozenset({400, 403})
TOO_LONG_STATUSES = frozenset({None, 400, 413, 422, 500})  # a 429 that speaks of tokens is a rate limit
# the same of a key, and of an account that has no money left, by which some answer 400
NO_KEY = re.compile(
    r"api[ _-]?key.{0,20}(not valid|invalid|expired|incorrect)|(invalid|incorrect|expired) api[ _-]?key",
    re.IGNORECASE,
)
NO_MONEY = re.compile(
    r"credit balance|insufficient (credits?|balance|funds|quota)|budget has been exceeded", re.IGNORECASE
)


def kind_in_words(error: Exception, status: int | None) -> type[ModelFailed] | None:
    """Return what an error of a provider, or of its client, says in words alone."""
    of_a_provider = (
        isinstance(error, langchain.ModelError) or hasattr(error, "body") or hasattr(error, "response")
    )
    if not of_a_provider and status is None:
        return None
    said = _said(error)
    if status in TOO_LONG_STATUSES and TOO_LONG.search(said):
        return InputTooLong
    if status in REFUSALS:
        if NO_MONEY.search(said):
            return ModelQuotaUsedUp
        if NO_KEY.search(said):
            return ModelMisconfigured
    return ContentFiltered if status in FLAGGING and FLAGGED.search(said) else None


def _said(error: Exception) -> str:
    """Return the words of an error and of its body, up to a bound."""
    return f"{error} {getattr(error, 'body', None) or ''}"[:MOST_READ]


def filtered_in_words(error: Exception) -> bool:
    """Tell LangChain's exceptions for an answer that was withheld: a bare ValueError, and a refusal's."""
    plain = type(error) is ValueError and "content filter being triggered" in str(error)
    return plain or (isinstance(error, langchain.ModelRefusalError) and "content filter" in str(error))


def seconds_in_words(error: Exception) -> float | None:
    """Return the seconds after which an error says that the provider may be asked again."""
    if not (told := WAIT.search(_said(error))):
        return None
    number, unit = float(told[1]), told[2].lower()
    return number / 1000 if unit == "ms" else number * 60 if unit.startswith("m") else number
