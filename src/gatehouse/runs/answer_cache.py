"""Answers that are given again, of entries that say that they answer alike.

What a run told and what its runnable yielded is kept in Redis, under a digest of all that the runnable saw:
its input, the messages of its thread, and `configurable`, which has the caller's identity, scopes and claims.
So nothing passes from one caller to another. A hit is told piece by piece like a run that works; it calls no
model, and uses no tokens.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import fields
from typing import Any

import structlog
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.serde.base import SerializerProtocol
from redis.asyncio import Redis

from gatehouse.plain_json import json_text, named
from gatehouse.runs import events
from gatehouse.runs.observing import RunObserver
from gatehouse.runs.records import RunRecord
from gatehouse.runs.sources.answers import Answer
from gatehouse.runs.sources.serving import Caching
from gatehouse.runs.sources.steps import NOTHING, Interrupted
from gatehouse.runs.sources.telling import Emit
from gatehouse.runs.sources.weighing import weight
from gatehouse.storage.digest import digest_of

log = structlog.get_logger(__name__)

MOST = 262_144  # bytes of an answer, about; a longer one is not kept
OF_THIS_RUN = frozenset(("run_id", "thread_id", "attempt"))  # in configurable
CHUNK = "chunk"
TOLD: Mapping[str, type] = {
    kind.__name__: kind
    for kind in (
        *(Answer, events.Token, events.Reasoning, events.Message, events.Custom, events.StateUpdate),
        *(events.AgentAction, events.ToolStart, events.ToolEnd),
    )
}

Source = Callable[[Emit], AsyncGenerator[Any]]


def users_prefix(tenant_id: str, user_id: str) -> str:
    """Return how the names of a user's answers in Redis begin."""
    return f"gh:answer:{digest_of(tenant_id, user_id)}:"


def answer_key(
    run: RunRecord,
    caching: Caching,
    mode: str,
    configurable: Mapping[str, Any],
    before: Sequence[BaseMessage],
) -> str:
    """Return the name under which the answer to this run is kept: a digest of all that its runnable sees."""
    seen = {name: value for name, value in configurable.items() if name not in OF_THIS_RUN}
    said = [(message.type, message.content) for message in before]
    whole = json_text(
        [caching.version, mode == "invoke", run.runnable, run.input, said, run.client, seen], named
    )
    return users_prefix(run.principal.tenant_id, run.principal.user_id) + digest_of(whole)


class AnswerCache:
    """The answers that are kept in one Redis. Without Redis every answer is a new one."""

    def __init__(self, redis: Redis, serde: SerializerProtocol, observer: RunObserver) -> None:
        self._redis = redis
        self._serde = serde
        self._observer = observer

    async def again(
        self, key: str, seconds: int, run: Source, emit: Emit, finished: Callable[[], bool]
    ) -> AsyncGenerator[Any]:
        """Yield and emit what is kept under the key; else what `run` does, which is kept if it `finished`."""
        if kept := await self._kept(key):
            self._observer.answered_again(hit=True)
            for kind, piece in kept:
                if kind == CHUNK:
                    yield piece
                else:
                    emit(told(kind, piece))
                    yield NOTHING
            return
        self._observer.answered_again(hit=False)
        recording = Recording(emit)
        async with aclosing(run(recording.emit)) as source:
            async for chunk in source:
                recording.add(CHUNK, chunk)
                yield chunk
        if finished() and recording.whole:
            await self._keep(key, recording.pieces, seconds)

    async def _kept(self, key: str) -> Any:
        """Return the pieces of an answer; None without one, also where it cannot be had."""
        try:
            written: Any = await self._redis.get(key)  # bytes: the client decodes nothing
            kind, _, data = (written or b"").partition(b":")
            return self._serde.loads_typed((kind.decode(), data)) if data else None
        except Exception as error:  # Redis is away, or another version has written it
            log.warning("an answer that is kept cannot be had", error=type(error).__name__)
            return None

    async def _keep(self, key: str, pieces: list[list[Any]], seconds: int) -> None:
        """Keep an answer, unless something in it does not come back from Redis as what it was."""
        try:
            kind, data = self._serde.dumps_typed(pieces)
            if self._serde.loads_typed((kind, data)) != pieces:
                log.warning("an answer cannot be kept", error="it would come back as something else")
                return
            await self._redis.set(key, kind.encode() + b":" + data, ex=seconds)
        except Exception as error:  # Redis is away, or of whatever objects a runnable yields
            log.warning("an answer is not kept", error=type(error).__name__)


class Recording:
    """What a run tells and yields, in order. Nothing of it is kept that takes back or asks something."""

    def __init__(self, emit: Emit) -> None:
        self.pieces: list[list[Any]] = []  # of kind and piece: msgpack has no tuples
        self._emit = emit
        self._weight = 0
        self._answered = False

    @property
    def whole(self) -> bool:
        """Tell whether it is an answer that can be given again."""
        return self._answered and self._weight <= MOST

    def emit(self, event: events.Event | Answer | Interrupted) -> None:
        self._emit(event)
        kind = type(event).__name__
        if isinstance(event, Interrupted) or kind not in TOLD:
            self._weight = MOST + 1
            return
        self._answered = self._answered or isinstance(event, Answer)
        values = {field.name: getattr(event, field.name) for field in fields(event)}
        self.add(kind, values | ({"path": list(values["path"])} if "path" in values else {}))

    def add(self, kind: str, piece: Any) -> None:
        """Note a piece, as long as there is room."""
        if piece is NOTHING or self._weight > MOST:
            return
        self._weight += weight(piece)
        self.pieces.append([kind, piece])


def told(kind: str, values: dict[str, Any]) -> Any:
    """Return an event, or an answer, as it was told."""
    path = {"path": tuple(values["path"])} if "path" in values else {}
    return TOLD[kind](**values | path)


async def forget_answers(redis: Redis, tenant_id: str, user_id: str) -> None:
    """Delete the answers that are kept of a user. It looks at all keys that there are."""
    async for key in redis.scan_iter(match=users_prefix(tenant_id, user_id) + "*", count=1000):
        await redis.delete(key)
