"""LangServe's streams: frames that are ready together leave together, and an error ends the response well."""

import contextlib
import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast
from uuid import UUID

import orjson
import structlog

from gatehouse.plain_json import NotJson
from gatehouse.problems.approvals import ApprovalRequired
from gatehouse.problems.errors import ApiError, RunFailed
from gatehouse.runs.lifecycle.failures import OutputNotJson
from gatehouse.wires import sse
from gatehouse.wires.langserve.config import Posted
from gatehouse.wires.langserve.feedback_tokens import Tokens, metadata_frame, promised
from gatehouse.wires.langserve.serializing import SERIALIZER
from gatehouse.wires.projection import interruption

log = structlog.get_logger(__name__)

PIECE = 65_536  # bytes
DATA = b"event: data\ndata: %s\n\n"


class ReaderLeft(Exception):
    """Ends LangServe's generator of frames."""


def encoded(
    frames: AsyncGenerator[dict[str, str], None], posted: Posted, tokens: Tokens | None = None
) -> AsyncGenerator[bytes]:
    """Return LangServe's own frames, those that are ready together in one piece."""
    return ending_well(together(frames, posted, tokens))


def streamed(chunks: AsyncGenerator[list[Any]], run_id: UUID, tokens: Tokens | None) -> AsyncGenerator[bytes]:
    """Return the frames of `/stream`, those of chunks that are ready together in one piece.

    They are what LangServe sends, which makes a dictionary of every chunk on a way through six generators.
    """
    return ending_well(chunk_frames(chunks, run_id, tokens))


async def chunk_frames(
    chunks: AsyncGenerator[list[Any]], run_id: UUID, tokens: Tokens | None
) -> AsyncGenerator[bytes]:
    with promised(tokens, run_id) as told:
        begun = False
        async with aclosing(chunks):
            async for ready in chunks:
                before = told.frame() if begun else metadata_frame(told.about())
                begun = True
                yield before + b"".join([DATA % encoded_chunk(chunk) for chunk in ready])
        yield await told.last_frame() + sse.frame(event="end")


def encoded_chunk(chunk: Any) -> bytes:
    """Return what LangServe's serializer makes of a chunk; of text, which is nearly every one, at once."""
    return orjson.dumps(chunk) if type(chunk) is str and chunk.isascii() else SERIALIZER.dumps(chunk)


async def together(
    frames: AsyncGenerator[dict[str, str], None], posted: Posted, tokens: Tokens | None = None
) -> AsyncGenerator[bytes]:
    """Yield frames that are ready together as a piece of at most `PIECE` bytes and one frame.

    All of it is queued for a slow reader. LangServe's own error frame is left out: its error comes after it.
    """
    ready: list[bytes] = []
    size = 0
    with promised(tokens, cast("UUID", posted.run_id)) as told:
        try:
            async for frame in frames:
                if frame["event"] != "error":
                    before = await told.last_frame() if frame["event"] == "end" else told.frame()
                    ready.append(before + sse.frame(frame.get("data", "").encode(), frame["event"]))
                    size += len(ready[-1])
                more = posted.call and posted.call.tap and posted.call.tap.ready
                if ready and (size >= PIECE or not more):
                    yield b"".join(ready)
                    ready.clear()
                    size = 0
        except Exception:
            if ready:
                yield b"".join(ready)
            raise
        finally:
            await closed(frames)


async def ending_well(frames: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield frames, and end the response after that of an error.

    LangServe sends every error as a 500 and raises again, which would reset the connection under the frame.
    """
    try:
        async with aclosing(frames):
            async for piece in frames:
                yield piece
    except NotJson as error:
        log.warning("a chunk has no form in JSON", cause=str(error))
        yield error_frame(OutputNotJson.of(error))
    except Exception as error:
        yield error_frame(interruption(error))


async def closed(frames: AsyncGenerator[dict[str, str], None]) -> None:
    """Close LangServe's generator, so that the run is let go. To `aclose` it would answer with a frame."""
    with contextlib.suppress(ReaderLeft, StopAsyncIteration):
        await frames.athrow(ReaderLeft)
        await anext(frames)


def error_frame(error: ApiError) -> bytes:
    """Return LangServe's error frame, with the error's own status and text.

    Of a run that failed for no reason of ours it is LangServe's own, with what we say as `detail`.
    """
    said = {"status_code": error.status, "message": error.detail}
    if isinstance(error, ApprovalRequired):
        said |= {"type": error.kind, **error.extra}
    if error.detail == RunFailed.default_detail:
        said |= {"message": "Internal Server Error", "detail": error.detail}
    return sse.frame(json.dumps(said).encode(), "error")
