"""Questions and answers, one after the other, in one thread."""

import os
import sys
from collections.abc import Callable, Iterable, Mapping

import typer

from gatehouse.cli.chat.answer import Answer
from gatehouse.cli.chat.asking import ask
from gatehouse.cli.chat.deciding import decide_all
from gatehouse.cli.chat.exits import Stopped, Waits
from gatehouse.cli.chat.server import Server
from gatehouse.cli.chat.view import View
from gatehouse.cli.failure import Failed

NOBODY_READS = 141  # as shells say it of a program that SIGPIPE ended


class Left(Stopped):
    """The second Ctrl-C."""


class Conversation:
    """Asks a server. `about` may name the runnable and the thread; the first answer begins one where not."""

    def __init__(
        self, server: Server, about: Mapping[str, str], new_view: Callable[[], View], *, decides: bool = False
    ) -> None:
        """`decides` says that somebody is at the terminal, who is asked what a run waits for."""
        self._server = server
        self._decides = decides
        self._about = dict(about)
        self._new_view = new_view
        print_whatever_comes()

    def ask(self, question: str) -> None:
        """Return when the answer was shown. Raises Failed, Abort, and Exit when its reader has gone."""
        answer = Answer()
        try:
            self._answered({"query": question, **self._about}, answer)
        except BrokenPipeError:
            no_further_output()
            raise typer.Exit(NOBODY_READS) from None
        except KeyboardInterrupt:
            raise Left("left before the run had ended") from None
        finally:
            if answer.thread_id:
                self._about["thread_id"] = answer.thread_id

    def _answered(self, question: Mapping[str, str], answer: Answer) -> None:
        """Return when the answer is whole: what it waits for was decided. Raises Failed."""
        ask(self._server, question, answer, self._new_view())
        while answer.status == "waiting":
            waits_for, answer.waits_for = answer.waits_for, []
            if not self._decides:
                ids = ", ".join(str(approval.get("id")) for approval in waits_for)
                raise Waits(f"the run waits for approval ({ids}); it goes on when somebody has decided")
            decide_all(self._server, waits_for)
            ask(self._server, question, answer, self._new_view())

    def go_on(self, questions: Iterable[str]) -> None:
        """Answer every question. One that fails says so and is not the end, but leaving is."""
        for question in questions:
            try:
                self.ask(question)
            except Left:
                raise
            except Failed as failure:
                typer.echo(f"gatehouse: {failure}", err=True)


def print_whatever_comes() -> None:
    """Have characters that the terminal's encoding lacks, and halves of them, shown as `?`."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")


def no_further_output() -> None:
    """Keep the interpreter from writing to the broken pipe at its exit, which would complain."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
