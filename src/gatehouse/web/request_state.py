"""What the layers around a request know of it, as one value that the request carries."""

import contextlib
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, cast

from starlette.requests import HTTPConnection
from starlette.types import Scope

from gatehouse.identity.principal import Principal
from gatehouse.limits.admission import Admission
from gatehouse.problems.errors import ApiError
from gatehouse.telemetry.pseudonyms import WhoseFields

KEY = "request"


class SeenRequest(Protocol):
    """A request that is watched. `trace_id` is empty when nothing is traced."""

    @property
    def trace_id(self) -> str: ...

    def problem(self, error: ApiError) -> None:
        """The caller is told of this error: as a response, in a page, or in a frame of a WebSocket."""
        ...

    def ended(self, status: int, seconds: float) -> None:
        """The last byte was sent; `status` is 0 when there was no response."""
        ...


class RequestWatch(Protocol):
    """Sees every request. `gatehouse.web.request_telemetry` implements it."""

    def request(self, scope: Scope) -> AbstractContextManager[SeenRequest]:
        """Surround a request."""
        ...


class Unwatched:
    """A RequestWatch, and a SeenRequest, that does nothing."""

    trace_id = ""

    def request(self, scope: Scope) -> AbstractContextManager["Unwatched"]:  # noqa: ARG002  # the protocol's
        return contextlib.nullcontext(self)

    def problem(self, error: ApiError) -> None:
        """Do nothing."""

    def ended(self, status: int, seconds: float) -> None:
        """Do nothing."""


UNWATCHED = Unwatched()


@dataclass(slots=True)
class RequestState:
    """Filled in by the layers, from the outermost to the innermost.

    `principal` is None where no credential is needed; `admission`, what the request is charged with, too.
    `pseudonyms` are the fields by which the log and metrics know the principal.
    """

    id: str
    seen: SeenRequest = UNWATCHED
    principal: Principal | None = None
    pseudonyms: WhoseFields | None = None
    admission: Admission | None = None


def state_of(connection: HTTPConnection | Scope) -> RequestState:
    """Return the state that `RequestContext` gave this request."""
    scope = connection.scope if isinstance(connection, HTTPConnection) else connection
    return cast("RequestState", scope["state"][KEY])


def admission_of(connection: HTTPConnection) -> Admission:
    """Return what a request of somebody is charged with."""
    return cast("Admission", state_of(connection).admission)
