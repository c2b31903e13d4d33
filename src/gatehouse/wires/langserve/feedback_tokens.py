"""Tokens by which a run can be judged in LangSmith, sent with its answer: LangServe's `feedback_tokens`.

They are asked for while the run goes on, and nothing of an answer waits for them but its end.
"""

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from fastapi.responses import JSONResponse

from gatehouse.problems.errors import Unavailable
from gatehouse.registry.entry import ServedEntry
from gatehouse.services import Services
from gatehouse.usage.langsmith import LangSmith
from gatehouse.wires import sse

log = structlog.get_logger(__name__)

SECONDS = 2.0  # for which the end of an answer waits for its tokens


@dataclass(frozen=True, slots=True)
class Tokens:
    """What an entry's runs are judged by, and who gives out tokens for it."""

    langsmith: LangSmith
    keys: Sequence[str]

    async def of(self, run_id: UUID) -> list[dict[str, Any]]:
        """Return tokens for a run, one for each key, as LangServe's clients know them; none in no time."""
        try:
            async with asyncio.timeout(SECONDS):
                given = await asyncio.gather(*(self.langsmith.token(run_id, key) for key in self.keys))
        except (Unavailable, TimeoutError):
            log.warning("an answer goes out without tokens for feedback", run_id=str(run_id))
            return []
        return [
            {
                "key": key,
                "token_url": token.url,
                "expires_at": token.expires_at.isoformat() if token.expires_at else None,
            }
            for key, token in zip(self.keys, given, strict=True)
        ]


@dataclass(slots=True)
class Promised:
    """Tokens of a stream, which are told in a `metadata` frame of it once they are there."""

    run_id: UUID
    task: asyncio.Task[list[dict[str, Any]]] | None = None

    def about(self) -> dict[str, Any]:
        """Return what a `metadata` frame says of the run now. Tokens are told once."""
        said: dict[str, Any] = {"run_id": str(self.run_id)}
        if self.task is not None and self.task.done():
            said["feedback_tokens"] = self.task.result()
            self.task = None
        return said

    def frame(self) -> bytes:
        """Return the frame of tokens that are there and were not told, or nothing."""
        return metadata_frame(self.about()) if self.task is not None and self.task.done() else b""

    async def last_frame(self) -> bytes:
        """Return the frame of tokens that were not told, once they are there, or nothing."""
        if self.task is not None:
            await self.task
        return self.frame()


def tokens_of(services: Services, entry: ServedEntry) -> Tokens | None:
    """Return what gives out tokens for an entry's runs, None where nothing does."""
    if not (entry.token_feedback and services.langsmith):
        return None
    return Tokens(services.langsmith, entry.token_feedback)


@contextmanager
def promised(tokens: Tokens | None, run_id: UUID) -> Iterator[Promised]:
    """Ask for a run's tokens, where its entry gives any, for as long as its stream is sent."""
    if tokens is None:
        yield Promised(run_id)
        return
    asking = asyncio.create_task(tokens.of(run_id))
    try:
        yield Promised(run_id, asking)
    finally:
        asking.cancel()


def metadata_frame(said: dict[str, Any]) -> bytes:
    return sse.frame(json.dumps(said).encode(), "metadata")


async def answer_with_tokens(response: JSONResponse, tokens: Tokens) -> JSONResponse:
    """Return the answer of an `/invoke` or a `/batch` with the tokens of its runs."""
    content = json.loads(bytes(response.body))
    about = content["metadata"]
    runs = about.get("responses", [about])
    given = await asyncio.gather(*(tokens.of(UUID(run["run_id"])) for run in runs))
    for run, its_tokens in zip(runs, given, strict=True):
        run["feedback_tokens"] = its_tokens
    return JSONResponse(content, response.status_code)
