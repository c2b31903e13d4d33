"""How a start fails, and a stop: in one line each, where uvicorn would log a traceback."""

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gatehouse.auth.configuration import BadConfiguration
from gatehouse.models.opening import ModelUnavailable
from gatehouse.registry.checked import BadRegistry
from gatehouse.storage.opening import CannotStart
from gatehouse.storage.schema import NoMigrations
from gatehouse.telemetry.management import CannotListen
from gatehouse.telemetry.redaction import redact

log = structlog.get_logger(__name__)

PARTS = {
    CannotStart: "",  # its message begins with the part
    BadRegistry: "registry: ",
    NoMigrations: "database: ",
    ModelUnavailable: "chat model: ",
    BadConfiguration: "authentication: ",
    CannotListen: "management port: ",
}


def reason(error: Exception) -> str:
    """Return in one line, without secrets, why a start failed."""
    for kind, part in PARTS.items():
        if isinstance(error, kind):
            return " ".join(f"{part}{error}".split())
    if isinstance(error, SQLAlchemyError):  # its text may hold the URL and its password
        return f"database: GATEHOUSE_DATABASE_URL cannot be used ({type(error).__name__})"
    return str(redact(f"{type(error).__name__}: {' '.join(str(error).split())}"))


class Contained:
    """The application as uvicorn is given it: what ends it does not reach uvicorn's log as a traceback.

    What its start raises is kept in `error`. Nobody who mistyped a URL wants to read where it was opened,
    nor is it of use where each of a thousand streams was when the drain was over.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.error: Exception | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        run = self._live if scope["type"] == "lifespan" else self.app
        try:
            await run(scope, receive, send)
        except asyncio.CancelledError:
            log.warning("cut off", kind=scope["type"], path=scope.get("path"))

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        phase = "startup"

        async def send_success(message: Message) -> None:
            nonlocal phase
            if message["type"] == "lifespan.startup.complete":
                phase = "shutdown"
            if not message["type"].endswith(".failed"):  # its message is a traceback
                await send(message)

        try:
            await self.app(scope, receive, send_success)
        except Exception as error:
            self.error = error
            await send({"type": f"lifespan.{phase}.failed", "message": reason(error)})
