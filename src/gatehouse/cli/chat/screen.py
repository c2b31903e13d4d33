"""An answer on a terminal: its text, and a line under it that says how it goes."""

import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

from gatehouse.callbacks.progress import Progress
from gatehouse.cli.chat.answer import Answer
from gatehouse.cli.chat.lines import filled, fitting, harmless, shortened
from gatehouse.cli.chat.view import View

LEAST_WIDTH = 4
LONGEST_TOOL_LINE = 200  # characters looked at


class Screen(View):
    """Lines that are full are printed for good; the last one and the status are drawn again and again.

    So an answer may be longer than the screen, and can be scrolled back to.
    """

    def __init__(self, console: Console, prefix: str = "") -> None:
        self._console = console
        self._prefix = prefix
        self._line = ""
        self._tool: str | None = None
        self._tools_ran = False
        self._state = "waiting"
        self._progress = Progress()
        self._began = time.monotonic()
        self._live = Live(
            console=console,
            get_renderable=self._renderable,
            auto_refresh=False,  # a thread that draws while a line is printed leaves parts of lines behind
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> "Screen":
        self._progress.start()
        self._live.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._live.stop()

    def say(self, text: str) -> None:
        if not text:
            return
        self._progress.add(text)
        if self._state != "stopping":
            self._state = "answering"
        *paragraphs, last = (self._line + self._take_prefix() + harmless(text)).split("\n")
        for paragraph in paragraphs:
            for line in filled(paragraph, self._width):
                self._print(line)
        *full, self._line = filled(last, self._width)
        for line in full:
            self._print(line)

    def void(self, why: str) -> None:
        self.note(f"[{why}]")
        self._progress.start()

    def tool_started(self, name: str) -> None:
        self._tool = harmless(name)
        self._tools_ran = True

    def tool_ended(self, output: str, *, failed: bool) -> None:
        self._end_line()
        told = " ".join(harmless(output[:LONGEST_TOOL_LINE]).split())
        outcome = f"{self._tool} failed: {told}" if failed else f"{self._tool}: {told}"
        self._print(shortened(outcome, self._width), style="red" if failed else "dim")
        self._tool = None

    def note(self, text: str) -> None:
        self._end_line()
        for line in filled(harmless(text), self._width):
            self._print(line, style="yellow")

    def refresh(self) -> None:
        self._live.refresh()

    def stopping(self) -> None:
        """Show that the run was asked to stop."""
        self._state = "stopping"

    def end(self, answer: Answer) -> None:
        self._end_line()
        self._live.stop()
        if answer.output_tokens and not self._tools_ran:  # else calls of tools are counted too
            self._progress.settle(answer.output_tokens)
        if summary := self._summary(answer):
            self._print(fitting(summary, self._width), style="dim")

    @property
    def _width(self) -> int:
        return max(self._console.width, LEAST_WIDTH)

    def _take_prefix(self) -> str:
        prefix, self._prefix = harmless(self._prefix), ""
        return prefix

    def _end_line(self) -> None:
        line, self._line = self._line, ""
        if line:
            self._print(line)

    def _print(self, line: str, style: str = "") -> None:
        self._console.print(Text(line.rstrip(), style=style), no_wrap=True, overflow="ignore", crop=False)

    def _renderable(self) -> Text:
        status = Text(fitting(self._status(), self._width), style="dim")
        line = self._line.rstrip()
        return Text("\n").join([Text(line), status]) if line else status

    def _status(self) -> list[str]:
        doing = f"running {self._tool}" if self._tool and self._state != "stopping" else self._state
        return [f"{doing} {time.monotonic() - self._began:.0f} s", *self._figures()]

    def _summary(self, answer: Answer) -> list[str]:
        figures = self._figures()
        if answer.status is None or answer.status == "completed":
            return figures
        return [answer.status, *figures]

    def _figures(self) -> list[str]:
        tokens, first = self._progress.tokens, self._progress.seconds_to_first_token
        if not tokens or first is None:
            return []
        return [
            f"{tokens} token{'s' if tokens > 1 else ''}",
            f"{self._progress.tokens_per_second:.1f} tokens/s",
            f"first after {first:.2f} s",
        ]
