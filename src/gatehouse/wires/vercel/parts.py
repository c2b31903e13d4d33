"""The parts of one message of the UI stream, as chunks: what is open is closed before the next begins."""

from typing import Any

Chunk = dict[str, Any]

UNFINISHED = "The tool did not finish."


class Parts:
    """Writes the chunks of a message in the order in which the protocol wants them.

    `take` returns those that were written since. Each is kept with the tool call it belongs to, or with what
    `void` takes back: text and thoughts.
    """

    def __init__(self) -> None:
        self._written: list[tuple[str, Chunk]] = []  # a call's id, WORDS, or STEP
        self._open: tuple[str, str] | None = None  # the type and id of the text that goes on
        self._tools: dict[str, bool] = {}  # by the ids of calls: whether it has returned
        self._returned = False  # in this step

    def take(self) -> list[Chunk]:
        taken, self._written = [chunk for _, chunk in self._written], []
        return taken

    def void(self) -> None:
        """Take back what was written and not taken: all words, and the calls that have not returned."""
        self._written = [
            (of, chunk) for of, chunk in self._written if of == STEP or self._tools.get(of, False)
        ]
        self._tools = {call: returned for call, returned in self._tools.items() if returned}
        self._open = None

    @property
    def pending(self) -> list[str]:
        """The ids of the calls that have not returned."""
        return [call for call, returned in self._tools.items() if not returned]

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._tools

    def words(self, kind: str, name: str, text: str) -> None:
        """Write a piece of text or of reasoning; `name` is the part's id if it is the first of one."""
        if self._open is None or self._open[0] != kind:
            self.close()
            self._next_step()
            self._open = kind, name
            self._write(WORDS, {"type": f"{kind}-start", "id": name})
        self._write(WORDS, {"type": f"{kind}-delta", "id": self._open[1], "delta": text})

    def close(self) -> None:
        """End the text that goes on, if any does."""
        if self._open is not None:
            kind, name = self._open
            self._open = None
            self._write(WORDS, {"type": f"{kind}-end", "id": name})

    def call(self, call_id: str, tool: str, arguments: Any) -> None:
        """Write that a tool was called; of a call that is known, nothing."""
        if call_id in self._tools:
            return
        self.close()
        self._next_step()
        self._tools[call_id] = False
        about = {"toolCallId": call_id, "toolName": tool, "input": arguments}
        self._write(call_id, {"type": "tool-input-available", **about, **OURS})

    def result(self, call_id: str, tool: str, output: Any, *, failed: bool) -> None:
        """Write what a tool returned; of one that has, nothing. A call that nobody was told of is, first."""
        self.call(call_id, tool, {})
        if self._tools[call_id]:
            return
        self.close()
        self._tools[call_id] = True
        self._returned = not self.pending
        told = {"errorText": str(output)} if failed else {"output": output}
        kind = "tool-output-error" if failed else "tool-output-available"
        self._write(call_id, {"type": kind, "toolCallId": call_id, **told, **OURS})

    def ask(self, call_id: str, tool: str, arguments: Any, approval_id: str) -> None:
        """Write that a call waits for a person."""
        self.call(call_id, tool, arguments)
        self.close()
        asked = {"approvalId": approval_id, "toolCallId": call_id}
        self._write(call_id, {"type": "tool-approval-request", **asked})

    def deny(self, call_id: str) -> None:
        """Write that a call was not allowed."""
        self._tools[call_id] = True
        self._returned = not self.pending
        self._write(call_id, {"type": "tool-output-denied", "toolCallId": call_id})

    def part(self, chunk: Chunk) -> None:
        """Write a part that is one chunk."""
        self.close()
        self._write(WORDS, chunk)

    def begin(self, message_id: str, metadata: Chunk) -> None:
        """Write the beginning of the message."""
        self._write(STEP, {"type": "start", "messageId": message_id, "messageMetadata": metadata})
        self._write(STEP, {"type": "start-step"})

    def abandon(self) -> None:
        """Write of the calls that have not returned that they will not."""
        for call_id in self.pending:
            self.result(call_id, "", UNFINISHED, failed=True)

    def end(self, chunk: Chunk) -> None:
        """Write the end of the message."""
        self.close()
        self._write(STEP, {"type": "finish-step"})
        self._write(STEP, chunk)

    def _next_step(self) -> None:
        """Begin another step where all tools have returned: what a model is asked then is one."""
        if self._returned:
            self._returned = False
            self._write(STEP, {"type": "finish-step"})
            self._write(STEP, {"type": "start-step"})

    def _write(self, of: str, chunk: Chunk) -> None:
        self._written.append((of, chunk))


WORDS, STEP = "\0words", "\0step"  # no call has such an id
OURS = {
    "dynamic": True,
    "providerExecuted": True,
}  # a tool that the client neither knows nor runs
