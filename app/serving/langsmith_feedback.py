"""LangServe's feedback endpoint: what a caller thinks of a run, kept with its trace in LangSmith.

LangServe's own would take feedback on anybody's run, and waits for LangSmith on the event loop. There is no
endpoint for token feedback: docs/adr/0010-feedback-in-langsmith.md.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, cast
from uuid import UUID

import structlog
from fastapi import APIRouter, Depends, FastAPI, Request
from langsmith import AsyncClient
from langsmith.utils import LangSmithError
from pydantic import BaseModel, ConfigDict, Field

from app.auth.dependencies import CurrentPrincipal, requires
from app.errors import InsufficientScope, InvalidInput, NotFound, Unauthenticated, Unavailable
from app.lifespan import services_of
from app.settings import Settings
from app.usage.feedback_routes import judged
from app.usage.langsmith import SECONDS
from chains.registry import Entry

log = structlog.get_logger(__name__)

MOST_CHARACTERS = 4000

Score = float | int | bool | None
Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]
PROBLEMS = {
    **Unauthenticated.schema(),
    **InsufficientScope.schema(),
    **NotFound.schema(),
    **InvalidInput.schema(),
    **Unavailable.schema(),
}


class RunFeedback(BaseModel):
    """What LangServe's clients send."""

    model_config = ConfigDict(allow_inf_nan=False)

    run_id: UUID
    key: str = Field(min_length=1, max_length=100, description="what is judged")
    score: Score = None
    value: float | int | bool | Text | None = None
    comment: Text | None = None


class KeptFeedback(RunFeedback):
    """What LangServe's clients are answered with."""

    id: UUID
    created_at: datetime
    modified_at: datetime


def add_feedback_routes(app: FastAPI, settings: Settings, entries: Sequence[Entry]) -> None:
    """Add the endpoint to every entry, if LangSmith is configured."""
    if settings.langsmith_api_key is None:
        return
    for entry in entries:
        app.include_router(feedback_router(entry), responses=PROBLEMS)


def feedback_router(entry: Entry) -> APIRouter:
    router = APIRouter(tags=[entry.name], dependencies=[Depends(requires(entry.required_scope))])

    @router.head(f"{entry.path}/feedback", name=f"{entry.name} takes feedback")
    async def is_taken() -> None:
        """Tell a playground that feedback is taken."""

    @router.post(f"{entry.path}/feedback", name=f"{entry.name} feedback")
    async def give(request: Request, principal: CurrentPrincipal, feedback: RunFeedback) -> KeptFeedback:
        """Keep what the caller thinks of a run of theirs, in LangSmith."""
        services = services_of(request)
        run = await judged(services, principal, str(feedback.run_id))
        if run.runnable != entry.name:
            raise NotFound("There is no such run.")
        return await kept(cast("AsyncClient", services.langsmith), feedback)

    return router


async def kept(client: AsyncClient, feedback: RunFeedback) -> KeptFeedback:
    """Return the feedback as LangSmith has it. Raises Unavailable."""
    try:
        async with asyncio.timeout(SECONDS):
            created = await client.create_feedback(
                feedback.run_id,
                feedback.key,
                score=feedback.score,
                value=feedback.value,
                comment=feedback.comment,
                source_info={"from_langserve": True},
                stop_after_attempt=3,  # its trace may not have arrived
            )
    except (LangSmithError, TimeoutError, OSError) as error:
        log.warning("LangSmith takes no feedback", error=type(error).__name__)
        raise Unavailable("LangSmith did not take the feedback. Try again later.") from error
    return KeptFeedback(
        **feedback.model_dump(), id=created.id, created_at=created.created_at, modified_at=created.modified_at
    )
