"""What shows an answer while it comes."""

import json
import sys
from typing import Self

from gatehouse.cli.chat.answer import Answer
from gatehouse.cli.chat.following import Event


class View:
    """Shows nothing. What is no part of the answer goes to stderr."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Leave the terminal as it was."""

    def received(self, event: Event) -> None:
        """Show an event as it is."""

    def refresh(self) -> None:
        """Show how it goes by now; called again and again."""

    def say(self, text: str) -> None:
        """Show what the answer goes on with."""

    def void(self, why: str) -> None:
        """Show that what was said so far does not count."""

    def tool_started(self, name: str) -> None:
        """Show that a tool runs."""

    def tool_ended(self, output: str, *, failed: bool) -> None:
        """Show what it gave."""

    def note(self, text: str) -> None:
        """Show what happens to the connection or the run."""
        print(text, file=sys.stderr, flush=True)

    def stopping(self) -> None:
        """Show that the run was asked to stop."""
        self.note("Stopping …")

    def end(self, answer: Answer) -> None:
        """Show that nothing will come any more."""


class Quiet(View):
    """The answer alone, in one piece: until the end another server may have to begin it anew."""

    def note(self, text: str) -> None:
        """Keep it to itself."""

    def end(self, answer: Answer) -> None:
        if answer.status != "failed":
            write(answer.text if answer.text.endswith("\n") else f"{answer.text}\n")


class JsonLines(View):
    """The run's events with their ids, one JSON object a line."""

    def received(self, event: Event) -> None:
        write(f"{json.dumps({'id': event.id, **event.data})}\n")


class Piped(View):
    """The text as it comes, for a file or another program."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._line_begun = False

    def say(self, text: str) -> None:
        if not text:
            return
        write(self._prefix + text)
        self._prefix = ""
        self._line_begun = not text.endswith("\n")

    def void(self, why: str) -> None:
        self._end_line()
        write(f"[{why}]\n")

    def end(self, answer: Answer) -> None:  # noqa: ARG002  # of the other views
        self._end_line()

    def _end_line(self) -> None:
        if self._line_begun:
            write("\n")
            self._line_begun = False


def write(text: str) -> None:
    """Write to stdout at once. Raises BrokenPipeError when nobody reads it any more."""
    sys.stdout.write(text)
    sys.stdout.flush()
