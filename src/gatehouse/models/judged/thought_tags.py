"""Thoughts that a model writes before its answer, between tags, where its server leaves them in the text.

vLLM, llama.cpp and Ollama do so with a model that they have no parser for, and some are set to.
"""

from typing import Literal

TAGS = {"<think>": "</think>", "<thinking>": "</thinking>", "<thought>": "</thought>"}


class ThoughtTags:
    """Parts the thoughts at a text's beginning from what is said: `add` returns the one and the other.

    What may be the beginning of a tag waits for the next piece; `rest` is what waits when no more comes.
    """

    def __init__(self) -> None:
        self._waiting = ""
        self._closing = ""
        self._where: Literal["before", "inside", "between", "after"] = "before"

    @property
    def passed(self) -> bool:
        """Whether no thoughts can come any more."""
        return self._where == "after"

    def add(self, piece: str) -> tuple[str, str]:
        """Return what is said, and what is thought."""
        text, self._waiting = self._waiting + piece, ""
        thought = ""
        if self._where == "before":
            text = self._opened(text)
        if self._where == "inside":
            text, thought = self._closed(text)
        if self._where == "between":
            text = text.lstrip()
        if text:
            self._where = "after"
        return text, thought

    def rest(self) -> tuple[str, str]:
        waiting, self._waiting = self._waiting, ""
        return ("", waiting) if self._where == "inside" else (waiting, "")

    def _opened(self, text: str) -> str:
        """Return what is left of a text after the tag that opens its thoughts; nothing while that is open."""
        begun = text.lstrip()
        opening = next((tag for tag in TAGS if begun.startswith(tag)), "")
        if opening:
            self._where, self._closing = "inside", TAGS[opening]
            return begun.removeprefix(opening)
        if any(tag.startswith(begun) for tag in TAGS):  # blanks alone, too
            self._waiting = text
            return ""
        return text

    def _closed(self, text: str) -> tuple[str, str]:
        """Return what follows the thoughts in a text, and of the thoughts what can be no part of a tag."""
        thought, closing, said = text.partition(self._closing)
        if closing:
            self._where = "between"
            return said, thought
        kept = next(n for n in range(len(self._closing) - 1, -1, -1) if text.endswith(self._closing[:n]))
        self._waiting = text[len(text) - kept :]
        return "", text[: len(text) - kept]
