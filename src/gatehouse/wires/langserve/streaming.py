"""LangServe's streams: frames that are ready together leave together, and an error ends the response well."""

import contextlib
import json
from collections.abc import AsyncGenerator

import structlog

from gatehouse.plain_json import NotJson
from gatehouse.problems.approvals import ApprovalRequired
from gatehouse.problems.errors import ApiError, RunFailed
from gatehouse.runs.lifecycle.failures import OutputNotJson
from gatehouse.wires import sse
from gatehouse.wires.langserve.config import Posted
from gatehouse.wires.projection import interruption

log = structlog.get_logger(__name__)

PIECE = 65_536  # bytes


class ReaderLeft(Exception):
    """Ends LangServe's generator of frames."""


async def encoded(frames: AsyncGenerator[dict[str, str], None], posted: Posted) -> AsyncGenerator[bytes]:
    """Yield LangServe's frames, those that are ready together, and end the response after its error frame.

    Together they are a piece of at most `PIECE` bytes and one frame: all of it is queued for a slow reader.

    LangServe sends every error as a 500 and raises again, which would reset the connection under the frame.
    """
    ready: list[bytes] = []
    size = 0
    try:
        async for frame in frames:
            if frame["event"] != "error":
                ready.append(sse.frame(frame.get("data", "").encode(), frame["event"]))
                size += len(ready[-1])
            more = posted.call and posted.call.tap and posted.call.tap.ready
            if ready and (size >= PIECE or not more):
                yield b"".join(ready)
                ready.clear()
                size = 0
    except NotJson as error:
        log.warning("a chunk has no form in JSON", cause=str(error))
        yield b"".join(ready) + error_frame(OutputNotJson.of(error))
    except Exception as error:
        yield b"".join(ready) + error_frame(interruption(error))
    finally:
        await closed(frames)


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
