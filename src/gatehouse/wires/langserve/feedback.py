"""LangServe's feedback endpoint: what a caller thinks of a run, kept with its trace in LangSmith.

LangServe's own would take feedback on anybody's run, and waits for LangSmith on the event loop. There is no
endpoint for token feedback: docs/adr/0010-feedback-in-langsmith.md.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field

from gatehouse.problems.errors import (
    BadRequest,
    InsufficientScope,
    InvalidInput,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from gatehouse.registry.entry import Entry
from gatehouse.services import services_of
from gatehouse.settings import Settings
from gatehouse.usage.langsmith import LangSmith
from gatehouse.web.dependencies import CurrentPrincipal, requires
from gatehouse.web.resources.feedback import judged

MOST_CHARACTERS = 4000

Score = float | int | bool | None
Text = Annotated[str, Field(max_length=MOST_CHARACTERS)]
PROBLEMS = {
    **BadRequest.schema(),
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
    """Add the endpoint to every entry that takes feedback: by default each, where LangSmith is configured."""
    kept = settings.langsmith_api_key is not None
    for entry in entries:
        if kept if entry.enable_feedback_endpoint is None else entry.enable_feedback_endpoint:
            app.include_router(feedback_router(entry), responses=PROBLEMS)


def langsmith_of(request: Request) -> LangSmith:
    """Return what keeps feedback. Raises BadRequest where LangSmith is not configured, as LangServe does."""
    langsmith = services_of(request).langsmith
    if langsmith is None:
        raise BadRequest("Feedback is kept in LangSmith, which is not configured (LANGSMITH_API_KEY).")
    return langsmith


def feedback_router(entry: Entry) -> APIRouter:
    needed = [Depends(requires(entry.required_scope)), Depends(langsmith_of)]
    router = APIRouter(tags=[entry.name], dependencies=needed)

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
        kept = await langsmith_of(request).keep(
            feedback.run_id,
            feedback.key,
            score=feedback.score,
            value=feedback.value,
            comment=feedback.comment,
        )
        return KeptFeedback(
            **feedback.model_dump(), id=kept.id, created_at=kept.created_at, modified_at=kept.modified_at
        )

    return router
