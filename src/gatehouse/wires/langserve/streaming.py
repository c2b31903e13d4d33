"""LangServe's streams: frames that are ready together leave together, and an error ends the response well."""

import contextlib
import json
from collections.abc import AsyncGenerator

import structlog
from sse_starlette.event import ensure_bytes

from gatehouse.plain_json import NotJson
from gatehouse.problems.approvals import ApprovalRequired
from gatehouse.problems.errors import ApiError, RunFailed, Unavailable
from gatehouse.problems.stores import STORE_IS_AWAY
from gatehouse.runs.lifecycle.failures import OutputNotJson
from gatehouse.wires.langserve.config import Posted

log = structlog.get_logger(__name__)

SEPARATOR = "\r\n"  # sse-starlette's, which LangServe leaves as it is
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
                ready.append(ensure_bytes(frame, SEPARATOR))
                size += len(ready[-1])
            more = posted.call and posted.call.tap and posted.call.tap.ready
            if ready and (size >= PIECE or not more):
                yield b"".join(ready)
                ready.clear()
                size = 0
    except ApiError as error:
        log.info("stream ended with an error", kind=error.kind)
        yield b"".join(ready) + error_frame(error)
    except STORE_IS_AWAY as error:
        log.warning("stream interrupted", error=type(error).__name__)
        yield b"".join(ready) + error_frame(Unavailable())
    except NotJson as error:
        log.warning("a chunk has no form in JSON", cause=str(error))
        yield b"".join(ready) + error_frame(OutputNotJson.of(error))
    except Exception:
        log.exception("stream failed")
        yield b"".join(ready) + error_frame(RunFailed())
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
    return ensure_bytes({"event": "error", "data": json.dumps(said)}, SEPARATOR)
