"""A client of LangServe's `/stream`, which knows nothing of runs: what it is not told in one go is lost to it."""

import asyncio
from typing import Any

import httpx
import orjson

from tests.chaos.rolling.askers import AWAY, Asker, Told

END_OF_FRAME = "\n\n"


class LangServeAsker(Asker):
    """Reads LangServe's frames. A stream that was cut is asked for again, from its start."""

    transport = "LangServe"

    async def ask(self, told: Told) -> None:
        while not told.transcript.ends:
            self.connecting(told)
            try:
                await self._ask_once(told)
            except httpx.TransportError:
                self.broken(told)
            if not told.transcript.ends:
                await asyncio.sleep(AWAY)

    async def _ask_once(self, told: Told) -> None:
        body = {"input": {"input": self.question.text}}
        text, ended = "", False
        async with self.http.stream("POST", f"{self.url}/chat/stream", json=body) as response:
            if response.status_code != httpx.codes.OK:
                await response.aread()
                self.refused(told, response.status_code)
                return
            pending = ""
            async for part in response.aiter_text():
                *frames, pending = (pending + part).split(END_OF_FRAME)
                for kind, data in map(frame_of, frames):
                    text += data if kind == "data" else ""
                    ended = ended or kind == "end"
                    if kind == "error":
                        self.refused(told, data["status_code"])
                        return
        if not ended:
            told.transcript.faults.append(f"the stream ended silently after {len(text)} characters")
        self._take(told, text)

    def _take(self, told: Told, text: str) -> None:
        """Give the words to the transcript as if they were a run's events."""
        transcript = told.transcript
        transcript.take("1-1", "start", {"type": "start"})
        words = text.split()
        for number, word in enumerate(words, 2):
            transcript.take(f"1-{number}", "token", {"type": "token", "content": f"{word} "})
        last = len(words) + 2
        complete = {"type": "complete", "content": transcript.text}
        transcript.take(f"1-{last}", "complete", complete)
        transcript.take(f"1-{last + 1}", "end", {"type": "end", "status": "completed"})


def frame_of(frame: str) -> tuple[str, Any]:
    """Return the event of LangServe's frame and its data; a comment is neither."""
    lines = [line for line in frame.split("\n") if line and not line.startswith(":")]
    fields = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    data = fields.get("data", "")
    return fields.get("event", ""), orjson.loads(data) if data else None
