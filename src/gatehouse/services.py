"""What requests use: opened once a process, and found by every request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict, cast

from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import HTTPConnection

from gatehouse.approvals.service import Approvals
from gatehouse.attachments.store import AttachmentStore
from gatehouse.audit.trail import AuditTrail
from gatehouse.auth.authenticator import Authenticator
from gatehouse.limits.limits import Limits
from gatehouse.models.opening import ChatModel
from gatehouse.registry.entry import ServedEntry
from gatehouse.runs.engine import RunEngine
from gatehouse.settings import Settings
from gatehouse.telemetry.pseudonyms import Pseudonyms
from gatehouse.threads.store import ThreadStore
from gatehouse.usage.langsmith import LangSmith
from gatehouse.usage.store import UsageStore


@dataclass(frozen=True, slots=True)
class Services:
    """What requests use, opened once a process."""

    settings: Settings
    entries: Mapping[str, ServedEntry]
    engine: AsyncEngine
    redis: Redis
    authenticator: Authenticator
    model: ChatModel
    threads: ThreadStore
    runs: RunEngine
    limits: Limits
    usage: UsageStore
    audit: AuditTrail
    pseudonyms: Pseudonyms
    attachments: AttachmentStore
    approvals: Approvals
    langsmith: LangSmith | None = None


class State(TypedDict):
    """What the lifespan yields; Starlette puts it into every request's state."""

    services: Services


def services_of(connection: HTTPConnection) -> Services:
    """Return the services of the server that answers this request."""
    return cast("Services", connection.scope["state"]["services"])
