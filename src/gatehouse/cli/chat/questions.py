"""Where questions come from: a pipe, or a prompt line with history."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from prompt_toolkit.history import History

LONGEST_QUESTION = 100_000  # characters, as the server has it
BYTES_A_CHARACTER = 4  # of UTF-8, at most


def checked(question: str) -> str:
    """Return the question. Raises BadParameter for none."""
    if not question.strip():
        raise typer.BadParameter("the question is empty.")
    if len(question) > LONGEST_QUESTION:
        raise typer.BadParameter(f"a question has at most {LONGEST_QUESTION:,} characters.")
    return question


def piped_question() -> str:
    """Return what stdin holds, as one question. Raises BadParameter."""
    read = sys.stdin.buffer.read(LONGEST_QUESTION * BYTES_A_CHARACTER + 1)
    try:
        return checked(read.decode("utf-8-sig").rstrip())
    except UnicodeDecodeError:
        raise typer.BadParameter("the question from stdin is no UTF-8 text.") from None


def typed_questions() -> Iterator[str]:
    """Yield what is entered at a prompt line, until Ctrl-D, or Ctrl-C on an empty line."""
    from prompt_toolkit import PromptSession
    from prompt_toolkit.output import create_output

    # the answer may go to a file while the person is at the terminal
    session: PromptSession[str] = PromptSession(
        history=history(), output=create_output(always_prefer_tty=True), enable_history_search=True
    )
    while True:
        try:
            line = session.prompt("> ")
        except KeyboardInterrupt:
            if session.default_buffer.text:
                continue
            return
        except EOFError:
            return
        if line.strip():
            yield line


def history() -> "History":
    """Return the earlier questions, kept in a file that nobody else may read; in memory where it can't be."""
    from prompt_toolkit.history import FileHistory, InMemoryHistory

    file = Path(typer.get_app_dir("gatehouse")) / "chat-history"
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError:
        return InMemoryHistory()
    return FileHistory(file)
