"""What every wire is made of: records of the run log in, frames of a protocol out.

A wire has three parts. Its parser makes a `ChatRequest` of a request, for `questions.start`. Its projection
makes frames of records. Its routes connect them:

    started = await start(services, principal, chat, key, admission_of(request))
    records = followed(services, principal, started.run)
    return sse.event_stream(run_id, records, MyProjection(started.run), settings.send_timeout)

A projection is an object for one viewer, which is given every record of the run in order: from the first
one, unless what it makes of a record depends on that record alone. It knows no clock, no chance and no
process, so that each replica makes the same bytes of the same records: ids, numbers and items come from
cursors and from what was counted on the way. A client that has seen a part is sent the whole without it.

LangServe's streams are the exception: they are what LangChain's own stream of a runnable yields, which no
log keeps and no client can resume (langserve/streaming.py).
"""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import Protocol, TypeVar

import structlog

from gatehouse.identity.principal import Principal
from gatehouse.problems.errors import ApiError, Unavailable
from gatehouse.problems.stores import STORE_IS_AWAY
from gatehouse.runs.events import BEGINNING, Cursor, Record
from gatehouse.runs.records import RunRecord
from gatehouse.services import Services
from gatehouse.wires.viewer_credential import ViewerCredential, while_held

log = structlog.get_logger(__name__)


Frames_co = TypeVar("Frames_co", covariant=True)


class Fold(Protocol[Frames_co]):
    """What a wire makes of records: any number of whole frames, encoded; empty where there are none."""

    def frames(self, record: Record) -> Frames_co:
        """Return what is sent of the next record."""
        ...


class Projection(Fold[bytes], Protocol):
    """What is sent in one response."""

    def opening(self) -> bytes:
        """Return what is sent before the first record is there."""
        ...

    def cut(self, error: ApiError) -> bytes:
        """Return the last words of a stream that ends before its run: in the protocol's own form of an error.

        The error is the viewer's, and the run goes on: Restarting (another process reads on), Unavailable (a
        store is away), CredentialExpired, NotFound (the run expired or was deleted), or a fault of ours.
        """
        ...


def followed(
    services: Services, principal: Principal, run: RunRecord, after: Cursor = BEGINNING
) -> AsyncIterator[list[Record]]:
    """Return the run's records after the cursor for a viewer, in lists of those that are ready, up to `end`.

    Raises what `cut` is told of. A viewer with another credential than the run's is followed only while its
    own holds.
    """
    records = services.runs.view(run.id, after)
    if principal.credential_key == run.principal.credential_key:
        return records  # the run itself ends with it, and says so
    credential = ViewerCredential(principal, services.authenticator.standing.credential_valid)
    return while_held(credential, records)


async def projected(
    run_id: str, records: AsyncIterator[list[Record]], projection: Projection
) -> AsyncGenerator[bytes]:
    """Yield what a viewer is sent: for each yield one write, of whole frames.

    Frames of records that are ready together share a write: to replay a thousand costs one, or a few.
    """
    if opening := projection.opening():
        yield opening
    try:
        async for ready in records:
            if frames := b"".join(map(projection.frames, ready)):
                yield frames
    except Exception as error:
        yield projection.cut(interruption(error, run_id=run_id))


def interruption(error: Exception, **about: str) -> ApiError:
    """Return what the viewer of a stream is told of an error that ends it early, and log it with `about`."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, STORE_IS_AWAY):
        log.warning("stream interrupted", error=type(error).__name__, **about)
        return Unavailable()
    log.error("stream failed", exc_info=error, **about)
    return ApiError()
