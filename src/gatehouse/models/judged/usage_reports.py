"""What an answer used, out of the reports that came with it; estimated where none came.

Some providers report what each piece took, others with every piece what it has been so far, others nothing.
"""

from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import pairwise
from typing import Any, cast

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata, add_usage

ESTIMATED = "usage_estimated"  # in a message's metadata: nobody counted its tokens

MOST = 100_000_000  # tokens that a report may speak of: no model reads or writes so many in one answer
# tokens that may be read or written beside what is seen: of tools and templates, of thoughts
UNSEEN = 250_000
TIMES = 10  # that a report may be what is estimated
ASCII_PER_TOKEN = 4  # characters
OTHERS_PER_TOKEN = 1.5  # of scripts that tokenizers know less of


def used(reports: Sequence[UsageMetadata]) -> UsageMetadata | None:
    """Return what the reports of one answer come to; None when none of them counts anything."""
    told = [whole for report in reports if any(counts(whole := believed(report)))]
    if not told:
        return None
    return with_output(max(told, key=sum_of) if so_far(told) else reduce(add_usage, told))


def believed(report: UsageMetadata) -> UsageMetadata:
    """Return a report without counts that are none: below zero, or beyond what any model takes."""
    read, written, whole = (count if 0 <= count <= MOST else 0 for count in counts(report))
    counted: Any = {
        **report,
        "input_tokens": read,
        "output_tokens": written,
        "total_tokens": max(whole, read + written),
    }
    for name in ("input_token_details", "output_token_details"):
        if name in counted:
            counted[name] = {of: count for of, count in counted[name].items() if is_count(count)}
    return cast("UsageMetadata", counted)


def plausible(
    report: UsageMetadata, asked: Iterable[BaseMessage], estimate: UsageMetadata
) -> UsageMetadata | None:
    """Return a report, None for one that a server got wrong: it would take its user's tokens for the day.

    What is read of images and files is not estimated, so with these any count is.
    """
    with_files = any(has_files(message) for message in asked)
    read = with_files or report["input_tokens"] <= UNSEEN + TIMES * estimate["input_tokens"]
    written = report["output_tokens"] <= UNSEEN + TIMES * estimate["output_tokens"]
    return report if read and written else None


def has_files(message: BaseMessage) -> bool:
    """Tell whether a message has more than text in it."""
    blocks = message.content if isinstance(message.content, list) else []
    return any(isinstance(block, dict) and block.get("type") != "text" for block in blocks)


def is_count(value: object) -> bool:
    return isinstance(value, int) and 0 <= value <= MOST


def with_output(report: UsageMetadata) -> UsageMetadata:
    """Return a report with what was written, where that is told by the total alone, as Gemini does."""
    rest = report["total_tokens"] - report["input_tokens"]
    return report if report["output_tokens"] or rest <= 0 else {**report, "output_tokens": rest}


def so_far(reports: Sequence[UsageMetadata]) -> bool:
    """Tell whether each report is of all that was used before it, too.

    The input is told again each time then, or no count falls and the output grows each time.
    """
    grows = all(
        all(was <= now for was, now in zip(counts(before), counts(after), strict=True))
        for before, after in pairwise(reports)
    )
    outputs = [report["output_tokens"] for report in reports]
    again = all(report["input_tokens"] for report in reports)
    return again or (grows and all(was < now for was, now in pairwise(outputs)))


def sum_of(report: UsageMetadata) -> int:
    return report["total_tokens"]


def completed(report: UsageMetadata | None, estimate: UsageMetadata) -> UsageMetadata:
    """Return a report with the estimate of what it does not count: what was read, or what was written."""
    if report is None:
        return estimate
    read = report["input_tokens"] or estimate["input_tokens"]
    written = report["output_tokens"] or estimate["output_tokens"]
    return {**report, "input_tokens": read, "output_tokens": written, "total_tokens": read + written}


def counts(report: UsageMetadata) -> tuple[int, int, int]:
    return report["input_tokens"], report["output_tokens"], report["total_tokens"]


def estimated(asked: Iterable[BaseMessage], characters: int, others: int) -> UsageMetadata:
    """Return an estimate for an answer of so many characters, `others` of them not ASCII."""
    texts = [words_of(message) for message in asked]
    read = sum(tokens_in(len(text), len(text) - len(text.encode("ascii", "ignore"))) for text in texts)
    written = tokens_in(characters, others)
    return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written)


def tokens_in(characters: int, others: int = 0) -> int:
    """Return about how many tokens a text of so many characters has, `others` of them not ASCII."""
    return round((characters - others) / ASCII_PER_TOKEN + others / OTHERS_PER_TOKEN)


def words_of(message: BaseMessage) -> str:
    """Return what a model reads of a message, images and files left out: they count by other rules."""
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    return str(message.text) + "".join(f"{call['name']}{call['args']}" for call in calls)
