"""What a run's events amount to, and the view that is told of it."""

from dataclasses import dataclass, field
from typing import Any, Protocol

from gatehouse.cli.chat.following import Event

VOID = "Begun anew by another server: the text above is void."
REPLACED = "Events were missed: the text above is void, this is all of it."


class Shows(Protocol):
    """The part of a view that an answer tells of its events."""

    def received(self, event: Event) -> None: ...
    def say(self, text: str) -> None: ...
    def void(self, why: str) -> None: ...
    def note(self, text: str) -> None: ...
    def tool_started(self, tool: str) -> None: ...
    def tool_ended(self, output: str, *, failed: bool) -> None: ...


@dataclass(slots=True)
class Answer:
    """The answer so far. `status` is None until the run has ended."""

    text: str = ""
    thread_id: str | None = None
    status: str | None = None
    problem: dict[str, Any] = field(default_factory=dict)
    output_tokens: int = 0
    run_id: str | None = None
    last_id: str = ""
    waits_for: list[dict[str, Any]] = field(default_factory=list)  # approvals that are open

    def take(self, event: Event, view: Shows) -> None:
        """Take the run's next event in, and show it."""
        view.received(event)
        self.last_id = event.id
        match event.type:
            case "start":
                self.thread_id, self.run_id = event.data.get("thread_id"), event.data.get("run_id")
            case "approval" | "decided":
                self._wait(event, view)
            case "token":
                self._add(event.content, view)
            case "tool_start" | "tool_end":
                self._tool(event, view)
            case "restart":
                self._replace("", VOID, view)
            case "gap":
                self._replace(str(event.data.get("text", "")), REPLACED, view)
            case "complete":
                self._complete(event, view)
            case "error":
                self.problem = event.data.get("problem") or {"detail": event.content}
            case "end":
                self.status = event.data.get("status")

    def _tool(self, event: Event, view: Shows) -> None:
        if event.type == "tool_start":
            view.tool_started(str(event.data.get("tool")))
        else:
            view.tool_ended(str(event.data.get("output", "")), failed=bool(event.data.get("is_error")))

    def _wait(self, event: Event, view: Shows) -> None:
        """Note what waits for a person; or what was decided, so that the run goes on."""
        if event.type == "approval":
            self.waits_for.append(event.data.get("approval") or {})
        else:
            self.waits_for.clear()
            view.note(event.content)

    def _add(self, text: str, view: Shows) -> None:
        self.text += text
        view.say(text)

    def _replace(self, text: str, why: str, view: Shows) -> None:
        """Show `text` in place of what there is: what it goes on from stays."""
        if not text.startswith(self.text):
            self.text = ""
            view.void(why)
        self._add(text[len(self.text) :], view)

    def _complete(self, event: Event, view: Shows) -> None:
        self._replace(event.content, REPLACED, view)
        usage = event.data.get("usage")
        if isinstance(usage, dict):
            self.output_tokens = usage.get("output_tokens") or 0
